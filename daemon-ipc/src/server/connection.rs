//! One connection, from its first byte to its last, as one task: reads, answers, writes, and keeps its time.
//!
//! Invariants:
//! 1. Nothing is read while the peer does not take what is written to it, or has more requests open than it may.
//! 2. What one read brought is answered by one write, if the handlers answer at once; many requests, by one for each batch of them.
//! 3. A connection at rest holds no buffer.

use super::{
    Service,
    answer::{Address, write_bad_frame, write_failure},
    calls::{Calls, shutting_down},
    patience::{Patience, Verdict},
    shared::Shared,
};
use crate::{
    Decoder, Failure, Frame, Kind, code,
    input::poll_read,
    outbox::Outbox,
    runtime::has_other_workers,
    spare,
    timer::{Now, Timer, after, earlier},
    transport::Stream,
};
use daemon_core::{Recognition, Upgraded};
use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout},
};

/// How many messages are looked at before what they brought is written.
const BATCH: usize = 128;

/// The same where there are other workers, and so other processors: the peer goes on with the first answers while the next are made.
const BATCH_BESIDE: usize = 8;

/// How often it is looked whether a peer that writes no more still reads.
const GONE_CHECK: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
pub(super) async fn serve(io: Stream, shared: Arc<Shared>, service: &Service) {
    let _end = EndOnDrop(&shared);
    let mut connection = Connection::new(io, &shared, service);
    let ending = poll_fn(|cx| connection.poll(cx)).await;
    let Connection { mut io, mut decoder, mut calls, .. } = connection;
    match ending {
        Ending::Upgrade(which) => {
            let upgraded = Upgraded::new(io, decoder.take_held(), shared.peer, service.closing.clone());
            return service.upgrades[which].serve(upgraded).await;
        }
        // All is written; if the other end is gone by now, or does not read it, it has no use for a farewell.
        Ending::Done => drop(timeout(service.limits.write_timeout, io.shutdown()).await),
        Ending::Gone => {}
    }
    drop(io);
    shared.end();
    linger(&mut calls).await;
}

/// Lets the handlers know that nobody waits for them any more, and gives them the moment they have.
async fn linger(calls: &mut Calls<'_>) {
    let (mut nowhere, mut timer) = (Outbox::default(), Timer::default());
    calls.end(Instant::now(), &mut nowhere);
    poll_fn(|cx| {
        loop {
            calls.poll(cx, &mut nowhere);
            if calls.is_idle() {
                return Poll::Ready(());
            }
            if timer.poll(cx, calls.due()).is_pending() {
                return Poll::Pending;
            }
            calls.expire(Instant::now(), &mut nowhere);
        }
    })
    .await;
}

/// Whoever waits for the connection hears of its end, also if its task is aborted.
struct EndOnDrop<'a>(&'a Shared);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

enum Ending {
    /// All was answered.
    Done,
    /// The peer is gone, or will not be waited for any longer.
    Gone,
    /// The peer speaks something else: the place of who understands it.
    Upgrade(usize),
}

/// How far the reading is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    /// Nothing that says which protocol it is.
    Fresh,
    Open,
    /// The peer writes no more.
    Ended,
}

struct Connection<'a> {
    io: Stream,
    service: &'a Service,
    shared: &'a Shared,
    decoder: Decoder,
    outbox: Outbox,
    calls: Calls<'a>,
    input: Input,
    patience: Patience,
    timer: Timer,
    /// How many messages are looked at before what they brought is written.
    batch: usize,
}

impl<'a> Connection<'a> {
    fn new(io: Stream, shared: &'a Arc<Shared>, service: &'a Service) -> Self {
        let calls = Calls::new(&*service.handler, Arc::clone(shared), Arc::clone(&service.hello));
        Self {
            io,
            service,
            shared,
            decoder: Decoder::new(&service.limits),
            outbox: Outbox::default(),
            calls,
            input: Input::Fresh,
            patience: Patience::new(Arc::clone(&service.limits), Instant::now()),
            timer: Timer::default(),
            batch: if has_other_workers() { BATCH_BESIDE } else { BATCH },
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let mut now = Now::default();
        loop {
            if let Some(ending) = self.turn(cx, &now) {
                return Poll::Ready(ending);
            }
            if let Some(buffer) = self.decoder.take_back() {
                spare::give_input(buffer);
            }
            let due = self.due(&now);
            if self.timer.poll(cx, due).is_pending() {
                return Poll::Pending;
            }
            now = Now::default();
            if let Some(ending) = self.enforce(now.get()) {
                return Poll::Ready(ending);
            }
        }
    }

    /// Does what can be done now.
    fn turn(&mut self, cx: &mut Context<'_>, now: &Now) -> Option<Ending> {
        loop {
            // Whether what was done makes way for what was not.
            let mut again = self.collect_mail(cx, now);
            let drained = self.take_messages(now);
            again |= self.calls.poll(cx, &mut self.outbox);
            again |= self.calls.begin_waiting(now, &mut self.outbox);
            let was_full = self.outbox.is_full();
            let mut taken = false;
            match self.outbox.poll_write(&mut self.io, cx, &mut taken) {
                Poll::Ready(Ok(())) => self.patience.unstuck(),
                Poll::Ready(Err(_)) => return Some(Ending::Gone),
                Poll::Pending => self.patience.stuck(taken, now),
            }
            again |= !drained && !self.is_full() || was_full && !self.outbox.is_full();
            if drained && self.may_read() {
                match self.read(cx) {
                    Ok(read) => again |= read,
                    Err(ending) => return Some(ending),
                }
            }
            if again | taken {
                self.patience.be_active();
            }
            if !again {
                return (drained && self.is_done()).then_some(Ending::Done);
            }
        }
    }

    /// Takes what others have for this connection. Whether they may have more.
    fn collect_mail(&mut self, cx: &mut Context<'_>, now: &Now) -> bool {
        if !self.shared.has_news() {
            return false;
        }
        let mail = self.shared.collect(cx, !self.outbox.is_full());
        let any = !mail.messages.is_empty();
        for message in mail.messages {
            self.outbox.append(message, 0);
        }
        if mail.closing && self.patience.close(now) {
            self.calls.close(now.get(), &mut self.outbox, &shutting_down());
        }
        any
    }

    /// Looks at the messages that were read. Whether at all of them.
    fn take_messages(&mut self, now: &Now) -> bool {
        if self.input == Input::Fresh {
            return true;
        }
        for _ in 0..self.batch {
            if self.is_full() {
                return false;
            }
            match self.decoder.next() {
                None => return true,
                Some(Ok(frame)) => self.take(frame, now),
                Some(Err(bad)) => write_bad_frame(&mut self.outbox, &bad),
            }
            self.patience.line_ended();
        }
        false
    }

    fn take(&mut self, frame: Frame, now: &Now) {
        match frame.kind() {
            Kind::Request => self.calls.ask(frame, now, &mut self.outbox),
            Kind::Cancel => self.calls.cancel(frame.id(), now.get(), &mut self.outbox),
            Kind::Credit => {
                let items = frame.extensions().ok().and_then(|extensions| extensions.stream);
                self.calls.credit(frame.id(), items.unwrap_or(0));
            }
            Kind::Event => {
                let failure = Failure::new("this server takes no events").with_code(code::UNKNOWN_TYPE);
                write_failure(&mut self.outbox, Address { id: frame.id(), hello: None }, &failure);
            }
            // Nothing was asked.
            Kind::Response | Kind::Error => {}
        }
    }

    /// Whether nothing more may be begun for now.
    fn is_full(&self) -> bool {
        self.outbox.is_full() || !self.calls.has_room()
    }

    fn may_read(&self) -> bool {
        self.input != Input::Ended && !self.is_full()
    }

    /// Reads once. Whether anything came.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        match poll_read(&mut self.io, cx, &mut self.decoder) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => self.end_of_input().map(|()| true),
            Poll::Ready(Ok(_)) if self.input == Input::Fresh => self.recognise(false).map(|()| true),
            Poll::Ready(Ok(_)) => Ok(true),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Poll::Ready(Err(_)) => Err(Ending::Gone),
        }
    }

    fn end_of_input(&mut self) -> Result<(), Ending> {
        if self.input == Input::Fresh {
            // Nobody can be meant but this server: what there is is read as lines, before the end is met again.
            return self.recognise(true);
        }
        self.input = Input::Ended;
        if self.io.is_gone() {
            return Err(Ending::Gone);
        }
        self.calls.end_of_input();
        let unfinished = std::mem::replace(&mut self.decoder, Decoder::new(&self.service.limits));
        if let Err(bad) = unfinished.finish() {
            write_bad_frame(&mut self.outbox, &bad);
        }
        Ok(())
    }

    /// Tells from the first bytes which protocol it is. Of those, no more are waited for than a line may have.
    fn recognise(&mut self, at_end: bool) -> Result<(), Ending> {
        let first = self.decoder.held();
        let is_all = at_end || first.len() > self.service.limits.max_frame;
        if first.first().is_some_and(|byte| *byte != b'{') {
            for (which, upgrade) in self.service.upgrades.iter().enumerate() {
                match upgrade.recognises(first) {
                    Recognition::Yes => return Err(Ending::Upgrade(which)),
                    Recognition::NotYet if !is_all => return Ok(()),
                    Recognition::NotYet | Recognition::No => {}
                }
            }
        }
        self.input = Input::Open;
        Ok(())
    }

    /// Whether everything was answered and nothing more will be asked.
    fn is_done(&self) -> bool {
        // What was sent before the close is answered, also if the system has not told of it yet.
        let no_more = self.input == Input::Ended || self.patience.is_closing() && !self.io.has_unread();
        no_more && self.calls.is_idle() && self.outbox.is_empty()
    }

    /// When something is to be done though nothing happens.
    fn due(&mut self, now: &Now) -> Option<Instant> {
        self.patience.line(self.decoder.has_begun() && self.may_read(), now);
        let due = earlier(self.calls.due(), self.patience.due());
        if self.input == Input::Ended { earlier(due, after(now.get(), GONE_CHECK)) } else { due }
    }

    /// Sees to what is due.
    fn enforce(&mut self, now: Instant) -> Option<Ending> {
        self.calls.expire(now, &mut self.outbox);
        if self.patience.has_drained(now) {
            self.calls.end(now, &mut self.outbox);
        }
        let is_quiet = self.calls.is_idle() && self.outbox.is_empty() && !self.decoder.has_begun();
        match self.patience.verdict(is_quiet, now) {
            Verdict::Wait => {}
            Verdict::SlowLine => {
                self.hang_up(&format!("a line took longer than {:?}", self.service.limits.read_timeout), now);
            }
            Verdict::Quiet => return Some(Ending::Done),
            Verdict::Stuck => {
                tracing::debug!(peer = %self.shared.peer, "an IPC peer does not read; its connection is closed");
                return Some(Ending::Gone);
            }
        }
        (self.input == Input::Ended && self.io.is_gone()).then_some(Ending::Gone)
    }

    /// Says why, and reads no more. What is at work is answered, but for what might go on for ever.
    fn hang_up(&mut self, why: &str, now: Instant) {
        let failure = Failure::new(why).with_code(code::IDLE);
        write_failure(&mut self.outbox, Address { id: None, hello: None }, &failure);
        self.calls.close(now, &mut self.outbox, &failure);
        self.input = Input::Ended;
        self.patience.line_ended();
        self.decoder = Decoder::new(&self.service.limits);
    }
}
