//! What an operator can ask of an instance, one verb a file.

mod call;
mod daemons;
mod describe;
mod events;
mod health;
mod host;
mod logs;
mod schedule;
mod stop;
mod wait;

pub(crate) use describe::describe;
pub(crate) use stop::stop;
pub(crate) use wait::until_ready;

use std::time::Duration;

use daemon_core::State;

use crate::args::{Ask, Verb};
use crate::client::{Deadline, Session, TO_ASK, TO_CALL, TO_CHANGE, block_on};
use crate::error::Error;
use crate::instance::Instance;
use crate::output::Out;
use crate::table::{Cell, Tone};

/// A question under way: to whom, with which deadline, and where the answer goes.
pub(crate) struct Asked<'a> {
    instance: &'a Instance,
    deadline: Deadline,
    out: Out,
}

impl Asked<'_> {
    async fn open(&self) -> Result<Session, Error> {
        Session::open(self.instance, self.deadline).await
    }
}

/// Asks what an operator wants to know, or does what he wants done.
pub(crate) fn ask(instance: &Instance, verb: Verb) -> Result<(), Error> {
    if let Verb::Logs { follow, lines, output } = verb {
        let path = if output { instance.output_file() } else { instance.log_file() };
        return logs::show(&path?, lines, follow);
    }
    let how = verb.how().unwrap_or(Ask { json: false, timeout: None });
    let deadline = Deadline::new(how.timeout.unwrap_or(verb.usual_limit()));
    let asked = Asked { instance, deadline, out: Out::new(how.json) };
    if let Verb::Stop { .. } = verb {
        let stopped = stop(instance, deadline.limit)?;
        return asked.out.answer(&stopped, || stopped.text(instance) + "\n");
    }
    block_on(answer(&asked, verb))
}

async fn answer(asked: &Asked<'_>, verb: Verb) -> Result<(), Error> {
    match verb {
        Verb::Status { .. } => host::status(asked).await,
        Verb::Health { .. } => health::show(asked).await,
        Verb::Daemons { daemon, .. } => daemons::show(asked, daemon).await,
        Verb::Daemon { action, .. } => daemons::steer(asked, action).await,
        Verb::Subscriptions { daemon, .. } => daemons::subscriptions(asked, daemon).await,
        Verb::Schedule { action, .. } => schedule::act(asked, action).await,
        Verb::Call { route, request, .. } => call::call(asked, &route, request).await,
        Verb::Commands { which, .. } => call::commands(asked, which.as_deref()).await,
        Verb::Events { pattern, count, .. } => events::follow(asked, &pattern, count).await,
        Verb::LogLevel { filter, time, .. } => host::log_level(asked, filter, time).await,
        Verb::Journal { lines, .. } => host::journal(asked, lines).await,
        Verb::Audit { .. } => host::audit(asked).await,
        Verb::Reload { .. } => host::reload(asked).await,
        Verb::Wait { state, .. } => wait::wait(asked, state).await,
        // Answered without a connection.
        Verb::Stop { .. } | Verb::Logs { .. } | Verb::Completions { .. } | Verb::Man { .. } => Ok(()),
    }
}

impl Verb {
    /// How the answer is to look, and how long it is waited for.
    pub(crate) fn how(&self) -> Option<Ask> {
        match self {
            Self::Stop { ask }
            | Self::Status { ask }
            | Self::Health { ask }
            | Self::Daemons { ask, .. }
            | Self::Daemon { ask, .. }
            | Self::Subscriptions { ask, .. }
            | Self::Schedule { ask, .. }
            | Self::Call { ask, .. }
            | Self::Commands { ask, .. }
            | Self::Events { ask, .. }
            | Self::LogLevel { ask, .. }
            | Self::Journal { ask, .. }
            | Self::Audit { ask }
            | Self::Reload { ask }
            | Self::Wait { ask, .. } => Some(*ask),
            Self::Logs { .. } | Self::Completions { .. } | Self::Man { .. } => None,
        }
    }

    /// How long it takes at most, unless it is said otherwise.
    fn usual_limit(&self) -> Duration {
        match self {
            Self::Call { .. } => TO_CALL,
            Self::Stop { .. } | Self::Daemon { .. } | Self::Reload { .. } | Self::Wait { .. } => TO_CHANGE,
            _ => TO_ASK,
        }
    }
}

/// A state, in its colour.
fn state_cell(state: State) -> Cell {
    Cell::new(state.as_str(), state_tone(state))
}

fn state_tone(state: State) -> Tone {
    match state {
        State::Running => Tone::Good,
        State::Failed => Tone::Bad,
        State::Stopped => Tone::Dim,
        _ => Tone::Odd,
    }
}

/// A count, which is odd if it is not zero.
fn odd_count(number: u64) -> Cell {
    Cell::new(number.to_string(), if number == 0 { Tone::Plain } else { Tone::Odd })
}
