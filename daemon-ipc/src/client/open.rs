//! What is open on a connection: who waits for which answer, and until when. Does no I/O.
//!
//! Invariant: whoever waits is woken when there is something to hear, and only then.

use crate::{
    ConnectionError, Failure, Frame, FrameError, Kind, RequestError,
    codec::{Answer, Unread},
    timer::earlier,
};
use std::{collections::VecDeque, path::Path, task::Waker, time::Duration};
use tokio::time::Instant;

/// Why a connection is no more, for everybody who waits on it.
#[derive(Clone, Debug)]
pub(super) enum LinkFault {
    Closed,
    Protocol(String),
    Rejected(Box<Failure>),
}

impl LinkFault {
    pub(super) fn into_error(self, path: &Path) -> ConnectionError {
        let socket_path = path.to_owned();
        match self {
            Self::Closed => ConnectionError::Closed { socket_path },
            Self::Protocol(details) => ConnectionError::Protocol { socket_path, details },
            Self::Rejected(failure) => ConnectionError::Rejected { socket_path, failure },
        }
    }
}

/// Why one request has no answer.
#[derive(Debug)]
pub(super) enum Fault {
    Link(LinkFault),
    Failed(Box<Failure>),
    /// It was waited for as long as it may be.
    Late,
    Request(FrameError),
}

impl Fault {
    /// For whoever waits for so long.
    pub(super) fn into_error(self, path: &Path, timeout: Option<Duration>) -> RequestError {
        match self {
            Self::Link(fault) => fault.into_error(path).into(),
            Self::Failed(failure) => RequestError::Failed(*failure),
            Self::Late => {
                let (socket_path, timeout) = (path.to_owned(), timeout.unwrap_or_default());
                ConnectionError::Timeout { socket_path, timeout, awaited: "reply" }.into()
            }
            Self::Request(error) => RequestError::Request(error),
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
    /// When it is given up.
    pub(super) deadline: Option<Instant>,
    pub(super) outcome: Option<Result<Unread, Fault>>,
}

/// What became of a request whose answer is one message.
pub(super) enum Asked {
    /// It is open no more. The entry that it had goes once nothing is locked.
    Answered(Result<Unread, Fault>, Option<(u64, Open)>),
    /// It will be told. Whoever was to be told before goes once nothing is locked.
    Waits(Option<Waker>),
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

/// What is open, each at the place that the last bits of its number say: whatever is about a number is found without a search. A number
/// whose place is taken is passed over.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: Vec<Option<(u64, Open)>>,
    count: usize,
    last: u64,
}

/// How many places there are at first. As long as there are no more than that many times, the memory is kept.
const PLACES: usize = 16;
const KEPT: usize = 4096;

impl Table {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn place(&self, number: u64) -> usize {
        // The length is a power of two. What is cut off makes no difference to the last bits.
        number as usize & self.places.len().wrapping_sub(1)
    }

    /// Gives it a number.
    pub(super) fn insert(&mut self, open: Open) -> u64 {
        // A quarter is left free, so that a free place is not far.
        if self.count * 4 >= self.places.len() * 3 {
            self.grow();
        }
        loop {
            self.last += 1;
            let place = self.place(self.last);
            if let Some(free @ None) = self.places.get_mut(place) {
                *free = Some((self.last, open));
                self.count += 1;
                return self.last;
            }
        }
    }

    /// Makes twice as many places. Numbers whose last bits differ differ in one bit more, too.
    #[cold]
    fn grow(&mut self) {
        let twice = (self.places.len() * 2).max(PLACES);
        let before = std::mem::replace(&mut self.places, std::iter::repeat_with(|| None).take(twice).collect());
        for entry in before.into_iter().flatten() {
            let place = self.place(entry.0);
            self.places[place] = Some(entry);
        }
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Open> {
        let place = self.place(number);
        match self.places.get_mut(place) {
            Some(Some((at, open))) if *at == number => Some(open),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Open> {
        let place = self.place(number);
        let (_, open) = self.places.get_mut(place)?.take_if(|(at, _)| *at == number)?;
        self.has_removed();
        Some(open)
    }

    fn has_removed(&mut self) {
        self.count -= 1;
        if self.count == 0 && self.places.len() > KEPT {
            self.places = Vec::new();
        }
    }

    /// Takes the outcome of a request whose answer is one message; if there is none yet, `waker` is told of it.
    pub(super) fn poll_one(&mut self, number: u64, waker: &Waker) -> Asked {
        let place = self.place(number);
        let Some(entry) = self.places.get_mut(place) else { return Asked::Waits(None) };
        let one = match entry {
            Some((at, Open::One(one))) if *at == number => one,
            _ => return Asked::Waits(None),
        };
        if let Some(outcome) = one.outcome.take() {
            let open = entry.take();
            self.has_removed();
            return Asked::Answered(outcome, open);
        }
        let is_told = one.waker.as_ref().is_some_and(|told| told.will_wake(waker));
        Asked::Waits(if is_told { None } else { one.waker.replace(waker.clone()) })
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut Open> {
        self.places.iter_mut().flatten().map(|(_, open)| open)
    }

    /// An answer has come. Whom to wake. An answer to nothing is passed over: its request was given up.
    ///
    /// # Errors
    ///
    /// What is wrong with the server, if it sends more than it may.
    pub(super) fn answer(&mut self, number: u64, frame: Frame, more: bool) -> Result<Option<Waker>, String> {
        let outcome = match frame.kind() {
            Kind::Response => Ok(frame),
            Kind::Error => Err(Fault::Failed(Box::new(Failure::read(frame.payload())))),
            kind => Err(unfit(kind.name())),
        };
        match self.get_mut(number) {
            None => Ok(None),
            Some(Open::One(one)) => Ok(one.hear(outcome.map(|frame| Unread::Known(Box::new(frame))))),
            Some(Open::Many(many)) => many.hear(outcome, more),
        }
    }

    /// An answer has come of which not everything is known. Whom to wake.
    ///
    /// # Errors
    ///
    /// The answer, if more must be known of it: it is not the one answer to a request.
    pub(super) fn answer_one(&mut self, number: u64, answer: Answer) -> Result<Option<Waker>, Answer> {
        match self.get_mut(number) {
            Some(Open::One(one)) => Ok(one.hear(Ok(Unread::Answer(answer)))),
            Some(Open::Many(_)) | None => Err(answer),
        }
    }

    /// The answer to a request makes no sense. Whom to wake.
    pub(super) fn refuse(&mut self, number: u64, details: &str) -> Option<Waker> {
        self.get_mut(number)?.fail(unfit(details))
    }

    /// No answer will come any more. Whom to wake.
    pub(super) fn fail_all(&mut self, fault: &LinkFault) -> Vec<Waker> {
        self.values_mut().filter_map(|open| open.fail(Fault::Link(fault.clone()))).collect()
    }

    /// Gives up those that have waited long enough. Whom to wake.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Waker> {
        let late = |open: &mut Open| match open {
            Open::One(one) => {
                one.deadline.take_if(|until| *until <= now)?;
                one.outcome.get_or_insert(Err(Fault::Late));
                one.waker.take()
            }
            Open::Many(_) => None,
        };
        self.values_mut().filter_map(late).collect()
    }

    /// When the first of them is to be given up.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let of = |open: &mut Open| match open {
            Open::One(one) => one.deadline,
            Open::Many(_) => None,
        };
        self.values_mut().map(of).fold(None, earlier)
    }
}

pub(super) fn unfit(details: &str) -> Fault {
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

impl One {
    pub(super) fn new(waker: &Waker, deadline: Option<Instant>) -> Self {
        Self { waker: Some(waker.clone()), deadline, outcome: None }
    }

    fn hear(&mut self, outcome: Result<Unread, Fault>) -> Option<Waker> {
        self.outcome.get_or_insert(outcome);
        self.waker.take()
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
                // One without a payload is no item, but takes its place in the window until it is passed over.
                if more || frame.payload().is_some() {
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
