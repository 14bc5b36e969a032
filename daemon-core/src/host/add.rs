//! Adding a daemon to a host that is under way.

use std::any::Any;
use std::sync::{Arc, Mutex};

use super::board::{Board, Happening};
use super::factory::Source;
use super::faults::{faults_of, plane_fault};
use super::graph::{Edges, Graph};
use super::references::{Fault, Named, graph};
use super::slot::Slot;
use super::unit::{Unit, UnitOf};
use crate::context::{HostHandle, HostLink, Wish};
use crate::daemon::DaemonBase;
use crate::error::Error;

impl HostHandle {
    /// Adds a daemon to the running host under its own name, starts it, and waits until it runs. What it requires and does not run
    /// is started before, as by [`start_daemon`](Self::start_daemon). From then on it is as if it had been there from the
    /// beginning; but who wants it and was there before neither waits for it nor stops before it.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; [`Error::UnknownDaemon`] if it requires, or reacts to, a daemon that is not there;
    /// [`Error::Refused`] with all else that [`Host::check`](crate::Host::check) would find wrong with it;
    /// [`Error::DaemonFailed`] if its start fails; [`Error::Stopping`] once the host shuts down.
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
        if self.stopping_since().is_some() {
            return Err(Error::Stopping { daemon: name });
        }
        let Place { requires, wants, wave } = self.place_of(&*unit)?;
        let intake = unit
            .subscribe(&self.bus)
            .map_err(|error| Error::Refused { daemon: name.clone(), fault: error.to_string() })?;
        let names = |on: &[usize]| on.iter().map(|&on| self.slot(on).name.to_string()).collect();
        let slot = Slot::new(&*unit, wave, names(&requires), names(&wants), intake, self.journal.clone());
        self.add(slot, || Happening::Add { unit, requires, wants })
    }

    /// Finds a place for a daemon among those there are, as [`Host::check`](crate::Host::check) does before the start.
    fn place_of(&self, unit: &dyn Unit) -> Result<Place, Error> {
        let (name, outline) = (unit.name(), unit.outline());
        let (at, named) = {
            let mut roll = self.roll_mut();
            if roll.at(name).is_some() {
                return Err(Error::NameTaken { name: name.to_string() });
            }
            (roll.slots().len(), roll.named(outline.known(name), unit.declaration(), &outline.ready))
        };
        let Named { requires, wants, faults, notes } = named;
        if let Some(missing) = faults.iter().find_map(Fault::missing) {
            return Err(self.unknown(missing));
        }
        let mut faults: Vec<_> =
            faults_of(unit, &outline).into_iter().chain(faults.into_iter().map(Fault::into_text)).collect();
        let plane = unit.declaration().plane;
        if self.leaving.takes(plane) {
            let on = requires.iter().chain(&wants).filter(|&&on| on != at).map(|&on| self.slot(on));
            faults.extend(on.filter_map(|on| plane_fault(unit, &on.name, on.plane)));
        } else {
            let fault = "it runs on the operations plane, and this host began without one; have one such daemon from the beginning";
            faults.push(fault.to_owned());
        }
        let new = Edges { name: name.clone(), requires: requires.clone(), wants: wants.clone(), plane };
        // Nobody there depends on what is new, so what it does not depend on does not matter.
        let (edges, places) = self.roll().below(new, at);
        let graph = graph(edges).unwrap_or_else(|cycles| {
            faults.extend(cycles);
            Graph::default()
        });
        if faults.is_empty() {
            let stop_timeout = unit.declaration().stop_timeout;
            let declared = |on: usize| if on == NEW { stop_timeout } else { self.slot(places[on]).stop_timeout };
            faults.extend(self.limits.stop_fault(&graph, &[NEW], declared));
        }
        if !faults.is_empty() {
            return Err(Error::Refused { daemon: name.to_string(), fault: faults.join("; ") });
        }
        for note in notes {
            tracing::info!(daemon = &**name, "{note}");
        }
        Ok(Place { requires, wants, wave: graph.nodes[NEW].wave })
    }
}

/// Where a daemon that is added is in the graph of what it depends on.
const NEW: usize = 0;

/// A daemon's place among the others.
struct Place {
    requires: Vec<usize>,
    wants: Vec<usize>,
    wave: u32,
}
