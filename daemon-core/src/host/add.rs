//! Adding a daemon to a host that is under way.

use std::any::Any;
use std::sync::{Arc, Mutex};

use super::board::{Board, Happening};
use super::factory::Source;
use super::faults::{faults_of, plane_fault};
use super::slot::Slot;
use super::unit::{Unit, UnitOf};
use crate::context::{HostHandle, HostLink, Wish};
use crate::daemon::DaemonBase;
use crate::declaration::Dependency;
use crate::error::Error;

impl HostHandle {
    /// Adds a daemon to the running host under its own name, starts it, and waits until it runs. From then on it is as
    /// if it had been there from the beginning.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; [`Error::UnknownDaemon`] if it requires, or reacts to, a daemon that is not there;
    /// [`Error::Refused`] if its definition has faults; [`Error::DaemonFailed`] if its start fails;
    /// [`Error::Stopping`] once the host shuts down.
    ///
    /// # Cancel safety
    /// Once polled the daemon is added even if the future is dropped.
    pub async fn add_daemon<D: DaemonBase>(&self, daemon: D) -> Result<(), Error> {
        self.add_daemon_as(D::NAME, daemon).await
    }

    /// As [`add_daemon`](Self::add_daemon), under another name.
    ///
    /// # Errors
    /// As [`add_daemon`](Self::add_daemon).
    ///
    /// # Cancel safety
    /// As [`add_daemon`](Self::add_daemon).
    pub async fn add_daemon_as<D: DaemonBase>(&self, name: &str, daemon: D) -> Result<(), Error> {
        let link: Arc<dyn Any + Send + Sync> = self.link();
        let Ok(board) = link.downcast::<Board>() else {
            return Err(Error::Stopping { daemon: name.to_owned() });
        };
        let source = Source::Value(Mutex::new(Some(Arc::new(daemon))));
        board.enlist(Arc::new(UnitOf::new(name, source)))?;
        board.steer(name, Wish::Start).await
    }
}

impl Board {
    /// Puts a new daemon on the board and tells the conductor of it.
    fn enlist(&self, unit: Arc<dyn Unit>) -> Result<(), Error> {
        let name = unit.name().to_string();
        daemon_grammar::name::check(&name)?;
        let outline = unit.outline();
        let faults = faults_of(&*unit, &outline);
        if !faults.is_empty() {
            return Err(Error::Refused { daemon: name, fault: faults.join("; ") });
        }
        let declaration = *unit.declaration();
        let requires = declaration.requires.iter().map(|on| self.index_of(on)).collect::<Result<Vec<_>, _>>()?;
        let wants: Vec<_> = declaration.wants.iter().filter_map(|on| self.index_of(on).ok()).collect();
        for on in &outline.ready {
            self.index_of(on)?;
        }
        let plane = declaration.plane;
        let fault = if self.leaving.takes(plane) {
            let mut on = requires.iter().chain(&wants).map(|&on| self.slot(on));
            on.find_map(|on| plane_fault(&*unit, &on.name, on.plane))
        } else {
            let fault = "it runs on the operations plane, and this host began without one; have one such daemon from the beginning";
            Some(fault.to_owned())
        };
        if let Some(fault) = fault {
            return Err(Error::Refused { daemon: name, fault });
        }
        if self.stopping_since().is_some() {
            return Err(Error::Stopping { daemon: name });
        }
        if self.find(&name).is_some() {
            return Err(Error::NameTaken { name });
        }
        let intake = unit
            .subscribe(&self.bus)
            .map_err(|error| Error::Refused { daemon: name.clone(), fault: error.to_string() })?;
        let wave = requires.iter().chain(&wants).map(|&on| self.slot(on).wave).max().unwrap_or(0) + 1;
        let names = |on: &[usize]| on.iter().map(|&on| self.slot(on).name.to_string()).collect();
        let slot = Slot::new(&*unit, wave, names(&requires), names(&wants), intake.clone(), self.journal.clone());
        // Told under the lock that orders slots, so that the conductor counts them as the board does.
        let told = self.add(slot, || Happening::Add { unit, requires, wants });
        if !told {
            intake.close();
            return Err(Error::NameTaken { name });
        }
        Ok(())
    }

    /// Where the daemon is that a dependency names.
    fn index_of(&self, dependency: &Dependency) -> Result<usize, Error> {
        match self.find(dependency.name()) {
            Some((at, slot)) if slot.type_id == dependency.type_id() => Ok(at),
            _ => Err(Error::UnknownDaemon { name: dependency.name().to_owned(), known: self.names().join(", ") }),
        }
    }
}
