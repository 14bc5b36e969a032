//! The requests of one connection: those at work, those that wait for their turn, and what becomes of each.
//!
//! Invariants:
//! 1. Every request is answered exactly once, unless its sender is gone.
//! 2. No more are at work than the limits allow, those counted whose request was given up and whose handler goes on.
//! 3. They begin in the order in which they came.

use super::{
    answer::{Address, write_failure, write_reply},
    handler::{Handler, Reply, Request},
    items::{Items, Window},
    running::{Running, Work, drop_guarded, guarded},
    shared::Shared,
};
use crate::{
    Capabilities, Failure, Frame, FrameError, Hello, Json, Limits, code,
    outbox::Outbox,
    timer::{Now, after, earlier, long_after},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::Instant;

type Outcome = Result<Reply, Failure>;

/// A request that is at work.
struct Call {
    number: u64,
    id: Option<Json>,
    /// Its answer answers the greeting, too.
    greeted: bool,
    deadline: Option<Instant>,
    /// Of those whose answer may have many items.
    window: Option<Arc<Window>>,
    /// How many bytes its request holds.
    weight: usize,
    /// It was answered in its handler's place, which is dropped then at the latest.
    given_up: Option<Instant>,
}

/// A request that is not begun.
struct Asked {
    frame: Frame,
    greeted: bool,
    /// How long it may take from when it came.
    allowed: Option<Duration>,
    /// When that is, if it had to wait.
    deadline: Option<Instant>,
    stream: Option<u32>,
}

pub(super) struct Calls<'h> {
    handler: &'h dyn Handler,
    shared: Arc<Shared>,
    /// The server's greeting, as JSON.
    hello: Arc<str>,
    /// What both ends can do, once the peer has said what it can.
    terms: Capabilities,
    running: Running<'h, Outcome, Call>,
    /// The id of the request at hand, kept while its handler has the request.
    id: String,
    weight: usize,
    waiting: VecDeque<Asked>,
    waiting_weight: usize,
    next: u64,
    /// When the first of them is to be looked at again.
    due: Option<Instant>,
    closing: bool,
    input_ended: bool,
}

impl<'h> Calls<'h> {
    pub(super) fn new(handler: &'h dyn Handler, shared: Arc<Shared>, hello: Arc<str>) -> Self {
        Self {
            handler,
            shared,
            hello,
            terms: Capabilities::default(),
            running: Running::new(),
            id: String::new(),
            weight: 0,
            waiting: VecDeque::new(),
            waiting_weight: 0,
            next: 0,
            due: None,
            closing: false,
            input_ended: false,
        }
    }

    fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Whether no request is open.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Whether more requests may be read.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < self.limits().max_waiting && self.waiting_weight < self.limits().max_frame
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A request has come.
    pub(super) fn ask(&mut self, frame: Frame, now: &Now, outbox: &mut Outbox) {
        let (own, stream, greeted) = match self.read_terms(&frame) {
            Ok(terms) => terms,
            Err(error) => {
                let to = Address { id: frame.id(), hello: None };
                return write_failure(outbox, to, &Failure::of_code(code::BAD_FRAME, &error));
            }
        };
        if self.closing {
            let to = Address { id: frame.id(), hello: greeted.then_some(&*self.hello) };
            return write_failure(outbox, to, &shutting_down());
        }
        let stream = stream.filter(|_| self.terms.stream);
        let own = own.filter(|_| self.terms.deadline);
        let allowed = own.or_else(|| stream.is_none().then_some(self.limits().request_timeout));
        let mut asked = Asked { frame, greeted, allowed, deadline: None, stream };
        if self.waiting.is_empty() && self.can_begin() {
            return self.begin(asked, now, outbox);
        }
        asked.deadline = allowed.and_then(|allowed| after(now.get(), allowed));
        self.due = earlier(self.due, asked.deadline);
        self.waiting_weight += asked.frame.len();
        self.waiting.push_back(asked);
    }

    /// The deadline of a request, how many items its sender can take, and whether it greets, which is heard.
    fn read_terms(&mut self, frame: &Frame) -> Result<(Option<Duration>, Option<u32>, bool), FrameError> {
        if frame.is_plain() {
            return Ok((frame.deadline()?, None, false));
        }
        let said = frame.extensions()?;
        let greets = said.hello.is_some();
        if let Some(hello) = said.hello {
            self.agree(&hello);
        }
        Ok((said.deadline, said.stream, greets))
    }

    fn agree(&mut self, hello: &Hello) {
        self.terms = hello.common(Capabilities::all()).capabilities;
        self.shared.hears_events(self.terms.push);
    }

    fn can_begin(&self) -> bool {
        self.running.len() < self.limits().max_in_flight && self.weight < self.limits().max_frame
    }

    /// Begins those that waited, as far as there is room. Whether there was any.
    pub(super) fn begin_waiting(&mut self, now: &Now, outbox: &mut Outbox) -> bool {
        let mut began = false;
        while !self.waiting.is_empty() && !outbox.is_full() && self.can_begin() {
            let Some(asked) = self.waiting.pop_front() else { break };
            self.waiting_weight -= asked.frame.len();
            self.begin(asked, now, outbox);
            began = true;
        }
        began
    }

    /// Hands a request to the handler, and polls that once: most answer at once, and cost nothing more.
    #[inline]
    fn begin(&mut self, asked: Asked, now: &Now, outbox: &mut Outbox) {
        let Asked { frame, greeted, allowed, deadline, stream } = asked;
        let number = self.next;
        self.next += 1;
        let (window, items) = match stream {
            None => (None, None),
            Some(items) => Some(self.open_window(items, &frame, greeted)).unzip(),
        };
        let time_limit = match deadline {
            Some(deadline) => Some(deadline.saturating_duration_since(now.get())),
            None => allowed,
        };
        let weight = frame.len();
        self.id.clear();
        self.id.push_str(frame.id().unwrap_or_default());
        let request = Request::new(frame, number, time_limit, items, Arc::clone(&self.shared));

        let (handler, mut work) = (self.handler, None);
        let polled = guarded(|| {
            let work: &mut Work<'h, Outcome> = work.insert(handler.handle(request));
            work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        });
        let outcome = match (polled, work) {
            (Ok(Poll::Pending), Some(work)) => {
                let deadline = deadline.or_else(|| after(now.get(), allowed?));
                self.weight += weight;
                self.due = earlier(self.due, deadline);
                let id = (!self.id.is_empty()).then(|| Json::copy_of(&self.id));
                return self
                    .running
                    .insert(work, Call { number, id, greeted, deadline, window, weight, given_up: None });
            }
            (Ok(Poll::Ready(outcome)), work) => drop_guarded(work).map(|()| outcome),
            (Err(panic), work) => Err(drop_guarded(work).err().unwrap_or(panic)),
            (Ok(Poll::Pending), None) => Err("no future was polled".to_owned()), // it was, or there was a panic
        };
        let id = (!self.id.is_empty()).then_some(&*self.id);
        let to = Address { id, hello: greeted.then_some(&*self.hello) };
        self.finish(number, window.as_deref(), to, outcome, outbox);
    }

    /// Of a request whose sender can take so many items.
    fn open_window(&self, items: u32, frame: &Frame, greeted: bool) -> (Arc<Window>, Box<Items>) {
        let window = Arc::new(Window::new(if self.input_ended { u32::MAX } else { items }));
        let hello = greeted.then(|| Arc::clone(&self.hello));
        let items = Items::new(frame.id_json(), hello, Arc::clone(&window), Arc::clone(&self.shared));
        (window, Box::new(items))
    }

    /// Polls the handlers that were woken, and answers what they answer. Whether any did, so that others have room.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> bool {
        if self.running.is_empty() {
            return false;
        }
        let mut finished = Vec::new();
        self.running.poll(cx, |call, outcome| finished.push((call, outcome)));
        let any = !finished.is_empty();
        for (call, outcome) in finished {
            self.weight -= call.weight;
            if call.given_up.is_some() {
                self.note_panic(&outcome);
                self.shared.forget(call.number);
                continue;
            }
            let to = Address { id: call.id.as_ref().map(Json::as_str), hello: call.greeted.then_some(&*self.hello) };
            self.finish(call.number, call.window.as_deref(), to, outcome, outbox);
        }
        any
    }

    fn finish(
        &self,
        number: u64,
        window: Option<&Window>,
        to: Address<'_>,
        outcome: Result<Outcome, String>,
        outbox: &mut Outbox,
    ) {
        self.shared.forget(number);
        self.note_panic(&outcome);
        if let Some(window) = window {
            // What it sent before comes before, and nothing after.
            window.close();
            for message in self.shared.take_messages() {
                outbox.append(message, 0);
            }
        }
        match outcome {
            Ok(Ok(reply)) => write_reply(outbox, to, reply, self.limits()),
            Ok(Err(failure)) => write_failure(outbox, to, &failure),
            Err(panic) => {
                let failure = Failure::new(format!("the handler panicked: {panic}")).with_code(code::PANICKED);
                write_failure(outbox, to, &failure);
            }
        }
    }

    fn note_panic(&self, outcome: &Result<Outcome, String>) {
        if let Err(panic) = outcome {
            tracing::error!(%panic, peer = %self.shared.peer, "an IPC handler panicked");
        }
    }

    /// The sender gives up a request. Nothing happens if there is no such one, or it is answered.
    pub(super) fn cancel(&mut self, id: Option<&str>, now: Instant, outbox: &mut Outbox) {
        let failure = Failure::new("the request was cancelled").with_code(code::CANCELLED);
        // Of several with the same id, the first: which one was meant cannot be known.
        let is_meant = |call: &&mut Call| call.given_up.is_none() && is_of(id, call.id.as_ref());
        let running = self.running.notes_mut().find(is_meant).map(|call| call.number);
        if let Some(number) = running {
            self.give_up(now, outbox, |_| failure.clone(), |call| call.number == number);
        } else if let Some(at) = self.waiting.iter().position(|asked| asked.frame.id() == id) {
            self.refuse_waiting(outbox, &failure, |place, _| place == at);
        }
    }

    /// The sender can take more items.
    pub(super) fn credit(&mut self, id: Option<&str>, items: u32) {
        // Of several with the same id, the first that can have some.
        let is_meant = |call: &&mut Call| call.given_up.is_none() && is_of(id, call.id.as_ref());
        let mut windows = self.running.notes_mut().filter(is_meant).filter_map(|call| call.window.as_ref());
        if let Some(window) = windows.next() {
            window.widen(items);
        }
    }

    /// The sender will say nothing more, and cannot ask for more items: what it does not read holds them up, and nothing else.
    pub(super) fn end_of_input(&mut self) {
        self.input_ended = true;
        for call in self.running.notes_mut() {
            if let Some(window) = &call.window {
                window.widen(u32::MAX);
            }
        }
    }

    /// Sees to what is due by now.
    pub(super) fn expire(&mut self, now: Instant, outbox: &mut Outbox) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let failure = Failure::new("the request took too long").with_code(code::DEADLINE_EXCEEDED);
        let shared = Arc::clone(&self.shared);
        let late = |call: &Call| shared.late(call.number).unwrap_or_else(|| failure.clone());
        self.give_up(now, outbox, late, |call| call.deadline.is_some_and(|deadline| deadline <= now));
        self.refuse_waiting(outbox, &failure, |_, asked| asked.deadline.is_some_and(|deadline| deadline <= now));
        let dropped = self.running.drop_if(|call| call.given_up.is_some_and(|until| until <= now));
        for (call, outcome) in dropped {
            self.weight -= call.weight;
            self.shared.forget(call.number);
            if let Err(panic) = outcome {
                tracing::error!(panic, peer = %self.shared.peer, "an IPC handler panicked when it was dropped");
            }
        }
        let calls = self.running.notes_mut().map(|call| call.given_up.or(call.deadline));
        let due = calls.fold(None, earlier);
        self.due = self.waiting.iter().map(|asked| asked.deadline).fold(due, earlier);
    }

    /// From now on nothing is begun; those that would never end by themselves are ended.
    pub(super) fn close(&mut self, now: Instant, outbox: &mut Outbox, failure: &Failure) {
        self.closing = true;
        self.give_up(now, outbox, |_| failure.clone(), |call| call.window.is_some());
        self.refuse_waiting(outbox, failure, |_, _| true);
    }

    /// All are ended.
    pub(super) fn end(&mut self, now: Instant, outbox: &mut Outbox) {
        self.give_up(now, outbox, |_| shutting_down(), |_| true);
        self.refuse_waiting(outbox, &shutting_down(), |_, _| true);
    }

    /// Answers in the handlers' place, and lets them know; they have a moment more.
    fn give_up(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        failure: impl Fn(&Call) -> Failure,
        mut which: impl FnMut(&Call) -> bool,
    ) {
        let until = long_after(now, self.shared.limits.cancel_grace);
        for call in self.running.notes_mut().filter(|call| call.given_up.is_none()) {
            if !which(call) {
                continue;
            }
            call.given_up = Some(until);
            self.due = earlier(self.due, Some(until));
            if let Some(window) = &call.window {
                window.close();
                for message in self.shared.take_messages() {
                    outbox.append(message, 0);
                }
            }
            let id = call.id.as_ref().map(Json::as_str);
            write_failure(outbox, Address { id, hello: call.greeted.then_some(&*self.hello) }, &failure(call));
            self.shared.cancel(call.number);
        }
    }

    /// Answers requests that were not begun.
    fn refuse_waiting(&mut self, outbox: &mut Outbox, failure: &Failure, mut which: impl FnMut(usize, &Asked) -> bool) {
        let mut place = 0;
        self.waiting.retain(|asked| {
            let refused = which(place, asked);
            place += 1;
            if refused {
                self.waiting_weight -= asked.frame.len();
                let hello = asked.greeted.then_some(&*self.hello);
                write_failure(outbox, Address { id: asked.frame.id(), hello }, failure);
            }
            !refused
        });
    }
}

fn is_of(asked: Option<&str>, id: Option<&Json>) -> bool {
    asked == id.map(Json::as_str)
}

pub(super) fn shutting_down() -> Failure {
    Failure::new("the server is shutting down").with_code(code::SHUTTING_DOWN)
}
