//! Waiting until an instance is ready, or has stopped.

use std::time::Duration;

use daemon_core::{HostStatus, State};
use serde::Serialize;
use tokio::time::sleep;

use super::Asked;
use crate::args::Awaited;
use crate::client::{Deadline, Session};
use crate::error::{Error, Kind};
use crate::instance::{Holder, Instance};

/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// What was waited for.
#[derive(Debug, Serialize)]
struct Reached {
    ready: bool,
    pid: Option<u32>,
}

pub(super) async fn wait(asked: &Asked<'_>, state: Awaited) -> Result<(), Error> {
    let name = &asked.instance.name;
    if state.ready {
        let status = until_ready(asked.instance, asked.deadline, None).await?;
        return asked.out.answer(&Reached { ready: true, pid: Some(status.pid) }, || format!("{name} is ready\n"));
    }
    until_stopped(asked.instance, asked.deadline).await?;
    asked.out.answer(&Reached { ready: false, pid: None }, || format!("{name} does not run\n"))
}

/// Waits until an instance is ready. If that is to be a certain process, it is an error, `NotRunning`, that it is gone.
pub(crate) async fn until_ready(instance: &Instance, deadline: Deadline, of: Option<u32>) -> Result<HostStatus, Error> {
    let mut last = Error::failed("starting");
    loop {
        match look(instance, deadline).await {
            Ok(status) if is_ready(&status) => return Ok(status),
            Ok(status) => last = Error::failed(format!("{}: {}", status.state, waited_for(&status))),
            Err(error) if error.kind == Kind::Refused => return Err(error),
            Err(error) if error.kind == Kind::TimedOut => {}
            Err(error) => last = error,
        }
        if let Some(pid) = of.filter(|_| instance.holder() == Holder::Nobody) {
            let text = format!("process {pid}, which was first, ended before it was ready");
            return Err(Error::new(Kind::NotRunning, text));
        }
        if deadline.is_over() {
            return Err(Error::timed_out(&format!("not ready ({})", last.message), deadline.limit));
        }
        sleep(PAUSE.min(deadline.left())).await;
    }
}

async fn look(instance: &Instance, deadline: Deadline) -> Result<HostStatus, Error> {
    let session = Session::open(instance, deadline).await?;
    let status = session.control().status().await;
    session.heard(status)
}

/// Whether the host runs, and with it every daemon that it requires.
fn is_ready(status: &HostStatus) -> bool {
    status.state == State::Running && needed(status).next().is_none()
}

/// The daemons that must run, and do not.
fn needed(status: &HostStatus) -> impl Iterator<Item = String> {
    let missing = status.daemons.iter().filter(|daemon| !daemon.optional && daemon.state != State::Running);
    missing.map(|daemon| format!("`{}` is {}", daemon.name, daemon.state))
}

fn waited_for(status: &HostStatus) -> String {
    needed(status).collect::<Vec<_>>().join(", ")
}

async fn until_stopped(instance: &Instance, deadline: Deadline) -> Result<(), Error> {
    loop {
        let runs = match instance.holder() {
            Holder::Nobody => false,
            Holder::Process(_) => true,
            Holder::Unknown => match Session::open(instance, deadline).await {
                Ok(_) => true,
                Err(error) => error.kind != Kind::NotRunning,
            },
        };
        if !runs {
            return Ok(());
        }
        if deadline.is_over() {
            return Err(Error::timed_out("still running", deadline.limit));
        }
        sleep(PAUSE.min(deadline.left())).await;
    }
}
