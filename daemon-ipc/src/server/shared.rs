//! What others may do with a connection while its task runs: put messages in its mail, ask it to close, hear that a request was
//! given up. Owns the mail and its bound.

use super::items::Window;
use crate::{Failure, Limits, Peer};
use rustc_hash::FxHashMap;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tokio_util::sync::CancellationToken;

/// How many bytes of mail wait before whoever sends more must wait too.
const FULL: usize = 256 * 1024;

pub(super) struct Shared {
    pub(super) peer: Peer,
    pub(super) limits: Arc<Limits>,
    state: Mutex<State>,
    /// Whether there is something for the task that it has not collected.
    news: AtomicBool,
    /// How many notes there are; so that a request without one costs no lock.
    notes: AtomicUsize,
}

#[derive(Default)]
struct State {
    mail: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Those who wait for room.
    senders: Vec<Waker>,
    /// The connection's task.
    task: Option<Waker>,
    /// It is to answer what it has and end.
    closing: bool,
    /// It has ended.
    gone: bool,
    /// The peer understands events.
    hears_events: bool,
    /// Of those requests whose handler asked for something of it, and of those that were given up, by their number.
    notes: FxHashMap<u64, Note>,
}

/// What is kept of a request beside the call itself.
#[derive(Default)]
struct Note {
    token: CancellationToken,
    /// What is told if its time is over.
    late: Option<Late>,
}

/// Says what is told of a request whose time is over.
pub(super) type Late = Box<dyn FnOnce() -> Failure + Send>;

/// What there is for a connection's task.
pub(super) struct Mail {
    pub(super) messages: VecDeque<Vec<u8>>,
    pub(super) closing: bool,
}

/// Why mail was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned {
    Full,
    Gone,
    /// The peer would not understand it.
    Unheard,
}

impl Shared {
    pub(super) fn new(peer: Peer, limits: Arc<Limits>) -> Self {
        Self { peer, limits, state: Mutex::default(), news: AtomicBool::new(true), notes: AtomicUsize::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there may be something to collect. A task that found nothing to collect is woken when there is.
    pub(super) fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    /// Takes what is there, and wakes the task when there is more. With no room for messages, they stay.
    pub(super) fn collect(&self, cx: &mut Context<'_>, has_room: bool) -> Mail {
        let mut state = self.state();
        state.task = Some(cx.waker().clone());
        let closing = state.closing;
        let takes = has_room && !state.mail.is_empty();
        self.news.store(!has_room && !state.mail.is_empty(), Ordering::Release);
        let messages = if takes { take(state) } else { VecDeque::new() };
        Mail { messages, closing }
    }

    /// Takes the messages that are there.
    pub(super) fn take_messages(&self) -> VecDeque<Vec<u8>> {
        take(self.state())
    }

    /// Puts an item in the mail, whose sender waits while too much is there. Once its window is closed and the mail taken, none comes.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        message: &mut Vec<u8>,
        window: &Window,
    ) -> Poll<Result<(), Returned>> {
        let mut state = self.state();
        if state.gone || window.is_closed() {
            return Poll::Ready(Err(Returned::Gone));
        }
        if state.bytes >= FULL {
            state.senders.push(cx.waker().clone());
            return Poll::Pending;
        }
        self.put(state, std::mem::take(message));
        Poll::Ready(Ok(()))
    }

    /// Puts an event in the mail, if there is room and the peer understands events.
    pub(super) fn push(&self, event: Vec<u8>) -> Result<(), Returned> {
        let state = self.state();
        if state.gone {
            return Err(Returned::Gone);
        }
        if !state.hears_events {
            return Err(Returned::Unheard);
        }
        if state.bytes >= FULL || state.mail.len() >= self.limits.max_waiting {
            return Err(Returned::Full);
        }
        self.put(state, event);
        Ok(())
    }

    pub(super) fn hears_events(&self, does: bool) {
        self.state().hears_events = does;
    }

    /// Asks the task to answer what it has and end.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        self.tell(state);
    }

    fn put(&self, mut state: MutexGuard<'_, State>, message: Vec<u8>) {
        state.bytes += message.len();
        state.mail.push_back(message);
        self.tell(state);
    }

    /// Wakes the task: there is something for it.
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        self.news.store(true, Ordering::Release);
        let task = state.task.take();
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    /// The token of a request, which is cancelled when the request is given up.
    pub(super) fn token(&self, request: u64) -> CancellationToken {
        let mut state = self.state();
        let gone = state.gone;
        let token = self.note(&mut state, request).token.clone();
        drop(state);
        if gone {
            token.cancel();
        }
        token
    }

    fn note<'s>(&self, state: &'s mut State, request: u64) -> &'s mut Note {
        let is_new = !state.notes.contains_key(&request);
        self.notes.store(state.notes.len() + usize::from(is_new), Ordering::Release);
        state.notes.entry(request).or_default()
    }

    /// Sets what is told if a request takes too long.
    pub(super) fn set_late(&self, request: u64, late: Late) {
        let mut state = self.state();
        let before = self.note(&mut state, request).late.replace(late);
        drop(state);
        drop(before);
    }

    /// What is to be told of a request that took too long, if something was set.
    pub(super) fn late(&self, request: u64) -> Option<Failure> {
        if self.notes.load(Ordering::Acquire) == 0 {
            return None;
        }
        let late = self.state().notes.get_mut(&request)?.late.take()?;
        Some(late())
    }

    /// Tells a handler that its request was given up.
    pub(super) fn cancel(&self, request: u64) {
        self.token(request).cancel();
    }

    /// Forgets a request that has ended.
    pub(super) fn forget(&self, request: u64) {
        if self.notes.load(Ordering::Acquire) > 0 {
            let mut state = self.state();
            let note = state.notes.remove(&request);
            self.notes.store(state.notes.len(), Ordering::Release);
            drop(state);
            drop(note);
        }
    }

    /// The connection is no more: whoever waits hears of it.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.gone = true;
        state.mail.clear();
        let senders = std::mem::take(&mut state.senders);
        let tokens: Vec<_> = state.notes.values().map(|note| note.token.clone()).collect();
        drop(state);
        tokens.iter().for_each(CancellationToken::cancel);
        senders.into_iter().for_each(Waker::wake);
    }
}

/// Takes the mail and tells those who wait that there is room.
fn take(mut state: MutexGuard<'_, State>) -> VecDeque<Vec<u8>> {
    state.bytes = 0;
    let (messages, senders) = (std::mem::take(&mut state.mail), std::mem::take(&mut state.senders));
    drop(state);
    senders.into_iter().for_each(Waker::wake);
    messages
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("peer", &self.peer).finish_non_exhaustive()
    }
}
