//! Stopping an instance: it is asked, or if nobody answers signalled, and waited for until its lock is free.

use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::client::{Deadline, Session, TO_ASK, block_on};
use crate::error::{Error, Kind};
use crate::instance::{Holder, Instance};
use crate::output::say;

/// How often it is looked whether it has stopped.
const PAUSE: Duration = Duration::from_millis(20);

/// What a stop came to.
#[derive(Debug, Serialize)]
pub(crate) struct Stopped {
    /// The process that has stopped.
    pid: Option<u32>,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// There was nothing to stop.
    NotRunning,
    /// Its control server was asked.
    Asked,
    /// Nobody answered, so its process got a SIGTERM.
    Signalled,
}

impl Stopped {
    pub(crate) fn text(&self, instance: &Instance) -> String {
        let with = self.pid.map_or_else(String::new, |pid| format!(", which had PID {pid}"));
        match self.how {
            How::NotRunning => format!("{} does not run", instance.name),
            How::Asked | How::Signalled => format!("{} has stopped{with}", instance.name),
        }
    }
}

/// Stops an instance and waits until it has stopped.
pub(crate) fn stop(instance: &Instance, limit: Duration) -> Result<Stopped, Error> {
    let deadline = Deadline::new(limit);
    let holder = instance.holder();
    if holder == Holder::Nobody {
        return Ok(Stopped { pid: None, how: How::NotRunning });
    }
    // Where nobody answers there must be time left for a signal.
    let to_ask = Deadline::new(TO_ASK.min(limit / 2));
    let (pid, how) = match (block_on(shut_down(instance, to_ask)), holder) {
        (Ok(pid), _) => (Some(pid), How::Asked),
        (Err(error), Holder::Process(Some(pid))) if error.kind != Kind::Refused => {
            if signal(instance, pid)? {
                say(format_args!("{}: {}; process {pid} got a SIGTERM", instance.name, error.message));
            }
            (Some(pid), How::Signalled)
        }
        (Err(error), Holder::Unknown) if error.kind == Kind::NotRunning => {
            return Ok(Stopped { pid: None, how: How::NotRunning });
        }
        (Err(error), _) => return Err(error),
    };
    while still_runs(instance, pid) {
        if deadline.is_over() {
            let with = pid.map_or_else(String::new, |pid| format!(" with PID {pid}"));
            return Err(Error::timed_out(&format!("still stopping{with}"), limit));
        }
        thread::sleep(PAUSE);
    }
    Ok(Stopped { pid, how })
}

/// Asks it to stop; returns its process.
async fn shut_down(instance: &Instance, deadline: Deadline) -> Result<u32, Error> {
    let session = Session::open(instance, deadline).await?;
    let reply = session.control().shutdown().await;
    session.heard(reply).map(|stopping| stopping.pid)
}

/// Whether the process still has the lock, or where there is none its socket.
fn still_runs(instance: &Instance, pid: Option<u32>) -> bool {
    match instance.holder() {
        Holder::Nobody => false,
        // Another has it by now if the number is another.
        Holder::Process(now) => now == pid || now.is_none(),
        Holder::Unknown => {
            let has_socket = instance.socket().is_ok_and(|socket| socket.exists());
            has_socket && pid.is_some_and(daemon_core::instance::is_process_alive)
        }
    }
}

/// Sends a SIGTERM to the process that holds the lock; whether it still held it.
#[cfg(unix)]
fn signal(instance: &Instance, pid: u32) -> Result<bool, Error> {
    use rustix::io::Errno;
    use rustix::process::{Pid, Signal};

    let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Err(Error::new(Kind::Broken, format!("its lock names process {pid}, which there cannot be")));
    };
    let holds_it = || instance.holder() == Holder::Process(Some(pid));
    let sent = send(process, Signal::TERM, holds_it);
    match sent {
        Ok(sent) => Ok(sent),
        Err(Errno::SRCH) => Ok(false),
        Err(Errno::PERM) => Err(Error::new(Kind::Refused, format!("process {pid} is another user's"))),
        Err(error) => Err(Error::failed(format!("cannot signal process {pid}: {error}"))),
    }
}

/// Sends a signal if `holds_it` is still so once the process is pinned: its number cannot become another's in between.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn send(
    process: rustix::process::Pid,
    signal: rustix::process::Signal,
    holds_it: impl Fn() -> bool,
) -> rustix::io::Result<bool> {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

    let pinned = pidfd_open(process, PidfdFlags::empty())?;
    if !holds_it() {
        return Ok(false);
    }
    pidfd_send_signal(pinned, signal).map(|()| true)
}

/// Sends a signal if `holds_it` is so at that moment.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn send(
    process: rustix::process::Pid,
    signal: rustix::process::Signal,
    holds_it: impl Fn() -> bool,
) -> rustix::io::Result<bool> {
    if !holds_it() {
        return Ok(false);
    }
    rustix::process::kill_process(process, signal).map(|()| true)
}

#[cfg(not(unix))]
fn signal(_instance: &Instance, pid: u32) -> Result<bool, Error> {
    Err(Error::new(Kind::Broken, format!("nobody answers, and process {pid} cannot be signalled on this system")))
}
