//! What is open on a connection: who waits for which answer, and until when. Does no I/O.
//!
//! Invariant: whoever waits is woken when there is something to hear, and only then.

use crate::{ConnectionError, Failure, Frame, Kind, RequestError, timer::earlier};
use rustc_hash::FxHashMap;
use std::{collections::VecDeque, path::Path, task::Waker, time::Duration};
use tokio::time::Instant;

/// Why a connection is no more, for everybody who waits on it.
#[derive(Clone, Debug)]
pub(super) enum LinkFault {
    Closed,
    Protocol(String),
    Rejected(Failure),
}

impl LinkFault {
    pub(super) fn into_error(self, path: &Path) -> ConnectionError {
        let socket_path = path.to_owned();
        match self {
            Self::Closed => ConnectionError::Closed { socket_path },
            Self::Protocol(details) => ConnectionError::Protocol { socket_path, details },
            Self::Rejected(failure) => ConnectionError::Rejected { socket_path, failure: Box::new(failure) },
        }
    }
}

/// Why one request has no answer.
#[derive(Debug)]
pub(super) enum Fault {
    Link(LinkFault),
    Failed(Failure),
    Timeout(Duration),
}

impl Fault {
    pub(super) fn into_error(self, path: &Path) -> RequestError {
        match self {
            Self::Link(fault) => fault.into_error(path).into(),
            Self::Failed(failure) => RequestError::Failed(failure),
            Self::Timeout(timeout) => {
                ConnectionError::Timeout { socket_path: path.to_owned(), timeout, awaited: "reply" }.into()
            }
        }
    }
}

/// One request that is not answered, or whose answer is not taken yet.
#[derive(Debug)]
pub(super) enum Open {
    One(One),
    Many(Many),
}

/// One whose answer is one message.
#[derive(Debug)]
pub(super) struct One {
    pub(super) waker: Option<Waker>,
    /// When it is given up, and how long that is after it was asked.
    pub(super) deadline: Option<(Instant, Duration)>,
    pub(super) outcome: Option<Result<Frame, Fault>>,
}

/// One whose answer has many items.
#[derive(Debug, Default)]
pub(super) struct Many {
    pub(super) waker: Option<Waker>,
    pub(super) items: VecDeque<Frame>,
    pub(super) end: Option<Result<(), Fault>>,
    /// How many items may come before more are asked for.
    pub(super) window: u32,
}

#[derive(Debug, Default)]
pub(super) struct Table(FxHashMap<u64, Open>);

impl Table {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn insert(&mut self, number: u64, open: Open) {
        self.0.insert(number, open);
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Open> {
        self.0.get_mut(&number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Open> {
        self.0.remove(&number)
    }

    /// An answer has come. Whom to wake. An answer to nothing is passed over: its request was given up.
    ///
    /// # Errors
    ///
    /// What is wrong with the server, if it sends more than it may.
    pub(super) fn answer(&mut self, number: u64, frame: Frame, more: bool) -> Result<Option<Waker>, String> {
        let outcome = match frame.kind() {
            Kind::Response => Ok(frame),
            Kind::Error => Err(Fault::Failed(Failure::read(frame.payload()))),
            kind => Err(unfit(kind.name())),
        };
        match self.0.get_mut(&number) {
            None => Ok(None),
            Some(Open::One(one)) => {
                one.outcome.get_or_insert(outcome);
                Ok(one.waker.take())
            }
            Some(Open::Many(many)) => many.hear(outcome, more),
        }
    }

    /// The answer to a request makes no sense. Whom to wake.
    pub(super) fn refuse(&mut self, number: u64, details: &str) -> Option<Waker> {
        self.0.get_mut(&number)?.fail(unfit(details))
    }

    /// No answer will come any more. Whom to wake.
    pub(super) fn fail_all(&mut self, fault: &LinkFault) -> Vec<Waker> {
        self.0.values_mut().filter_map(|open| open.fail(Fault::Link(fault.clone()))).collect()
    }

    /// Gives up those that have waited long enough. Whom to wake.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Waker> {
        let late = |open: &mut Open| match open {
            Open::One(one) => {
                let (_, timeout) = one.deadline.take_if(|(until, _)| *until <= now)?;
                one.outcome.get_or_insert(Err(Fault::Timeout(timeout)));
                one.waker.take()
            }
            Open::Many(_) => None,
        };
        self.0.values_mut().filter_map(late).collect()
    }

    /// When the first of them is to be given up.
    pub(super) fn due(&self) -> Option<Instant> {
        let of = |open: &Open| match open {
            Open::One(one) => one.deadline.map(|(until, _)| until),
            Open::Many(_) => None,
        };
        self.0.values().map(of).fold(None, earlier)
    }
}

fn unfit(details: &str) -> Fault {
    Fault::Link(LinkFault::Protocol(format!("its answer is no answer: {details}")))
}

impl Open {
    fn fail(&mut self, fault: Fault) -> Option<Waker> {
        match self {
            Self::One(one) => {
                one.outcome.get_or_insert(Err(fault));
                one.waker.take()
            }
            Self::Many(many) => {
                many.end.get_or_insert(Err(fault));
                many.waker.take()
            }
        }
    }
}

impl Many {
    fn hear(&mut self, outcome: Result<Frame, Fault>, more: bool) -> Result<Option<Waker>, String> {
        if self.end.is_some() {
            return Ok(None);
        }
        match outcome {
            Err(fault) => self.end = Some(Err(fault)),
            Ok(frame) => {
                if frame.payload().is_some() {
                    self.items.push_back(frame);
                }
                if !more {
                    self.end = Some(Ok(()));
                } else if self.items.len() > self.window as usize {
                    return Err(format!("it sent more than the {} items it may", self.window));
                }
            }
        }
        Ok(self.waker.take())
    }
}
