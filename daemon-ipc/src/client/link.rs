//! One connection as long as it lasts. Owns its bytes in both directions; [`reader`] is the task that reads, and callers that are
//! alone write by themselves.
//!
//! Invariants:
//! 1. Whoever waits on a link hears of its end: its fault is set once, and everybody is told.
//! 2. No waker is called, and nothing of the user's runs, while the state is locked.
//! 3. What waits to be written is bounded: beyond that, callers wait before they are sent.

mod reader;

use super::{
    Settings,
    digits::{About, number_of},
    events::Listeners,
    greeting::Greeting,
    open::{LinkFault, Open, Table},
};
use crate::{
    BadFrame, Extensions, Failure, Frame, FrameError, Hello, Kind,
    body::Body,
    codec::{Answer, encode_without_payload},
    outbox::Outbox,
    runtime::has_other_workers,
    transport::{Stream, WriteHalf},
};
use daemon_core::with_sources;
use reader::Reader;
use std::{
    fmt,
    future::poll_fn,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// After how many requests of callers that were woken together what they have sent is written, if there are other workers that may run
/// the rest of them: so the server is at work while they are.
const GATHERED: u32 = 16;

/// How many bytes may wait to be written before callers wait instead.
const ROOM: usize = 1024 * 1024;

pub(super) struct Link {
    path: PathBuf,
    settings: Arc<Settings>,
    /// The greeting of this end, as JSON.
    hello: String,
    state: Mutex<State>,
    ended: AtomicBool,
}

pub(super) struct State {
    /// Gone once the link has ended, so that the other end hears of it whoever still holds the link.
    writer: Option<WriteHalf>,
    outbox: Outbox,
    pub(super) open: Table,
    pub(super) listeners: Listeners,
    greeting: Greeting,
    fault: Option<LinkFault>,
    /// Nothing can be written any more. What the server said before may still be read.
    broken: bool,
    /// The task, if it waits.
    task: Option<Waker>,
    /// The task waits for its next turn and no longer, so that all that callers send until then is written at once; with it, what time
    /// it was.
    gathering: Option<Instant>,
    /// How many requests were sent since then, or since callers last wrote what there was.
    gathered: u32,
    /// At how many of them callers write.
    gathers_at_most: u32,
    /// The task was woken by somebody who sent something.
    has_sent: bool,
    /// When the task looks after deadlines next.
    armed: Option<Instant>,
    /// Since when the other end has taken nothing of what waits.
    stuck_since: Option<Instant>,
    /// Those who wait until there is room in the outbox.
    senders: Vec<Waker>,
}

/// A link and its task, which ends with the last handle.
#[derive(Debug)]
pub(super) struct LinkHandle {
    link: Arc<Link>,
    _task: AbortOnDropHandle<()>,
}

impl Deref for LinkHandle {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Link {
    pub(super) fn start(stream: Stream, path: PathBuf, settings: Arc<Settings>) -> LinkHandle {
        let (reader, writer) = stream.split();
        let hello = serde_json::to_string(&Hello::new(Default::default())).unwrap_or_default();
        let state = State {
            writer: Some(writer),
            outbox: Outbox::default(),
            open: Table::default(),
            listeners: Listeners::default(),
            greeting: Greeting::Unsaid,
            fault: None,
            broken: false,
            task: None,
            gathering: None,
            gathered: 0,
            gathers_at_most: if has_other_workers() { GATHERED } else { u32::MAX },
            has_sent: false,
            armed: None,
            stuck_since: None,
            senders: Vec::new(),
        };
        let link = Arc::new(Self { path, settings, hello, state: Mutex::new(state), ended: AtomicBool::new(false) });
        let mut task = Reader::new(&link, reader);
        let task = tokio::spawn(async move { poll_fn(|cx| task.poll(cx)).await });
        LinkHandle { link, _task: AbortOnDropHandle::new(task) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    pub(super) fn hello(&self) -> Option<Hello> {
        self.lock().greeting.hello().cloned()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it from this side.
    pub(super) fn end(&self) {
        self.fail(LinkFault::Closed);
    }

    /// Ends it, and tells everybody.
    fn fail(&self, fault: LinkFault) {
        let mut state = self.lock();
        if state.fault.is_some() {
            return;
        }
        self.ended.store(true, Ordering::Release);
        state.outbox.clear();
        let mut wakers = state.open.fail_all(&fault);
        state.listeners.end(&mut wakers);
        wakers.append(&mut state.senders);
        wakers.extend(state.task.take());
        state.fault = Some(fault);
        let writer = state.writer.take();
        drop(state);
        drop(writer);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Sends a request, or says that there is no room yet and wakes the caller when there is.
    pub(super) fn send(
        &self,
        state: &mut State,
        ask: &About<'_>,
        body: &mut Body,
        waker: &Waker,
    ) -> Result<Sent, FrameError> {
        if state.outbox.len() >= ROOM {
            state.senders.push(waker.clone());
            return Ok(Sent { is_sent: false, wake: None });
        }
        let hello = state.greeting.say(ask.number).then_some(&*self.hello);
        let was_empty = state.outbox.is_empty();
        let ask = About { hello, ..*ask };
        if let Err(error) = std::mem::take(body).write(&ask, &self.settings.limits, &mut state.outbox) {
            if hello.is_some() {
                state.greeting = Greeting::Unsaid;
            }
            return Err(error);
        }
        let is_alone = was_empty && state.open.len() == 1;
        let is_seen_to = state.is_gathered() || !was_empty || is_alone && state.write_now();
        let wake = if is_seen_to { None } else { state.task.take() };
        state.has_sent |= wake.is_some();
        Ok(Sent { is_sent: true, wake })
    }

    /// Sends a message about a request, which has no answer.
    pub(super) fn tell(&self, state: &mut State, kind: Kind, number: u64, stream: Option<u32>) -> Option<Waker> {
        let about = About { stream, ..About::new(kind, number) };
        // Far shorter than any limit that lets requests through.
        encode_without_payload(&about, &self.settings.limits, state.outbox.buffer()).ok();
        state.task.take()
    }

    /// Forgets a request whose answer nobody wants any more, and lets the server know.
    pub(super) fn give_up(&self, number: u64, was_sent: bool) {
        let mut state = self.lock();
        let open = state.open.remove(number);
        let is_open = match &open {
            Some(Open::One(one)) => one.outcome.is_none(),
            Some(Open::Many(many)) => many.end.is_none(),
            None => false,
        };
        let is_told = is_open && was_sent && state.fault.is_none() && state.greeting.gives_up(number);
        let task = if is_told { self.tell(&mut state, Kind::Cancel, number, None) } else { None };
        drop(state);
        drop(open);
        task.into_iter().for_each(Waker::wake);
    }
}

/// What became of a request that was to be sent, and whom to wake once the state is unlocked.
pub(super) struct Sent {
    pub(super) is_sent: bool,
    pub(super) wake: Option<Waker>,
}

impl State {
    pub(super) fn fault(&self) -> Option<&LinkFault> {
        self.fault.as_ref()
    }

    /// What time it is, give or take the task's next turn.
    pub(super) fn now(&self) -> Instant {
        self.gathering.unwrap_or_else(Instant::now)
    }

    /// Has the task look after a deadline. Whom to wake for it.
    pub(super) fn arm(&mut self, deadline: Instant) -> Option<Waker> {
        if self.armed.is_some_and(|armed| armed <= deadline) {
            return None;
        }
        self.armed = Some(deadline);
        self.task.take()
    }

    /// Has the task wait for one turn.
    fn gather(&mut self) {
        self.gathering = Some(Instant::now());
        self.gathered = 0;
    }

    /// Whether the task will write what was sent just now, since it waits for more. If that is much, it is written already.
    fn is_gathered(&mut self) -> bool {
        if self.gathering.is_none() {
            return false;
        }
        self.gathered += 1;
        if self.gathered >= self.gathers_at_most {
            self.gathered = 0;
            self.write_now();
        }
        true
    }

    /// Writes what can be written without waiting. Whether that was all; if not, the task must go on with it.
    fn write_now(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let Some(writer) = &mut self.writer else { return true };
        let mut progress = false;
        let written = self.outbox.poll_write(writer, &mut cx, &mut progress);
        if progress {
            self.stuck_since = None;
        }
        match written {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => {
                self.broken = true;
                false
            }
            Poll::Pending => false,
        }
    }
}

impl Link {
    /// Hands an answer to whom it concerns.
    fn hear_answer(&self, state: &mut State, answer: Answer, wakers: &mut Vec<Waker>) -> Result<(), LinkFault> {
        let number = answer.id().and_then(number_of).filter(|_| state.greeting.is_settled());
        // Without one, more must be known of it.
        let answer = match number {
            Some(number) => match state.open.answer_one(number, answer) {
                Ok(waker) => {
                    wakers.extend(waker);
                    return Ok(());
                }
                Err(answer) => answer,
            },
            None => answer,
        };
        self.hear(state, answer.check(), wakers)
    }

    /// Hands one message to whom it concerns.
    fn hear(
        &self,
        state: &mut State,
        frame: Result<Frame, BadFrame>,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), LinkFault> {
        let frame = match frame {
            Ok(frame) => frame,
            Err(BadFrame { id, error }) => {
                let number = id.and_then(|id| number_of(id.as_str())).ok_or_else(|| protocol(&error))?;
                wakers.extend(state.open.refuse(number, &with_sources(&error)));
                return Ok(());
            }
        };
        let number = frame.id().and_then(number_of);
        let extensions = match frame.is_plain() {
            true => Extensions::default(),
            false => frame.extensions().map_err(|error| protocol(&error))?,
        };
        for number in state.greeting.heard(number, extensions.hello) {
            wakers.extend(self.tell(state, Kind::Cancel, number, None));
        }
        match (frame.kind(), number) {
            (Kind::Event, _) => state.listeners.hear(extensions.topic, &frame, wakers),
            // It is about the connection: what it would answer, it did not understand, or does not want to.
            (Kind::Error, None) => return Err(LinkFault::Rejected(Box::new(Failure::read(frame.payload())))),
            (_, Some(number)) => {
                wakers.extend(state.open.answer(number, frame, extensions.more).map_err(LinkFault::Protocol)?);
            }
            (_, None) => {}
        }
        Ok(())
    }
}

fn protocol(error: &FrameError) -> LinkFault {
    LinkFault::Protocol(with_sources(error))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("path", &self.path).field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Reconnect};
    use std::time::Duration;

    #[tokio::test]
    async fn an_end_that_takes_what_callers_write_is_not_stuck() {
        let (ours, _theirs) = tokio::io::duplex(4);
        let settings = Settings {
            limits: Limits::default(),
            connect_timeout: Duration::ZERO,
            reconnect: Reconnect::never(),
            waits_for_server: false,
        };
        let link = Link::start(Stream::Memory(ours), PathBuf::new(), Arc::new(settings));
        let mut state = link.lock();
        let since = Some(Instant::now());
        state.outbox.buffer().extend_from_slice(b"abcdef");
        state.stuck_since = since;
        assert!(!state.write_now());
        assert_eq!((state.outbox.len(), state.stuck_since), (2, None));
        state.stuck_since = since;
        assert!(!state.write_now());
        assert_eq!((state.outbox.len(), state.stuck_since), (2, since), "it takes nothing more");
    }
}
