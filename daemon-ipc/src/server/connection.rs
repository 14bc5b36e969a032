//! One connection, from its first byte to its last, as one task: reads, answers, writes, and keeps its time.
//!
//! Invariants:
//! 1. Nothing is read while the peer does not take what is written to it, or has more requests open than it may.
//! 2. One read is answered by one write, however many requests it brought, if their handlers answer at once.
//! 3. A connection at rest holds no buffer.

use super::{
    Service,
    answer::{Address, write_bad_frame, write_failure},
    calls::Calls,
    shared::Shared,
    upgrade::{Recognition, Upgraded},
};
use crate::{
    Decoder, Failure, Frame, Kind, code, spare,
    outbox::Outbox,
    timer::{Now, Timer, after, earlier},
    transport::Stream,
};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, time::Instant};
use tokio_util::io::poll_read_buf;

/// How many messages are looked at before what they brought is written.
const BATCH: usize = 128;

/// How often in an idle timeout it is looked whether anything happened.
const LOOKS: u32 = 4;

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
        // All is written; if the other end is gone by now, it has no use for a farewell.
        Ending::Done => drop(io.shutdown().await.ok()),
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
    timer: Timer,
    /// When the line at hand began.
    line_since: Option<Instant>,
    /// Since when the peer has taken nothing of what is to be written.
    stuck_since: Option<Instant>,
    /// When it was last looked whether anything happened, and how often nothing had.
    looked_at: Instant,
    quiet_looks: u32,
    /// Something has happened since.
    is_active: bool,
    closing_since: Option<Instant>,
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
            timer: Timer::default(),
            line_since: None,
            stuck_since: None,
            looked_at: Instant::now(),
            quiet_looks: 0,
            is_active: true,
            closing_since: None,
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
                Poll::Ready(Ok(())) => self.stuck_since = None,
                Poll::Ready(Err(_)) => return Some(Ending::Gone),
                Poll::Pending if taken => self.stuck_since = Some(now.get()),
                Poll::Pending => drop(self.stuck_since.get_or_insert_with(|| now.get())),
            }
            again |= !drained && !self.is_full() || was_full && !self.outbox.is_full();
            if drained && self.may_read() {
                match self.read(cx) {
                    Ok(read) => again |= read,
                    Err(ending) => return Some(ending),
                }
            }
            self.is_active |= again | taken;
            if !again {
                return (drained && self.is_done()).then_some(Ending::Done);
            }
        }
    }

    /// Takes what others have for this connection. Whether they may have more.
    fn collect_mail(&mut self, cx: &mut Context<'_>, now: &Now) -> bool {
        let mail = self.shared.collect(cx, !self.outbox.is_full());
        let any = !mail.messages.is_empty();
        for message in mail.messages {
            self.outbox.append(message, 0);
        }
        if mail.closing && self.closing_since.is_none() {
            self.closing_since = Some(now.get());
            self.calls.close(now.get(), &mut self.outbox);
        }
        any
    }

    /// Looks at the messages that were read. Whether at all of them.
    fn take_messages(&mut self, now: &Now) -> bool {
        if self.input == Input::Fresh {
            return true;
        }
        for _ in 0..BATCH {
            if self.is_full() {
                return false;
            }
            match self.decoder.next() {
                None => return true,
                Some(Ok(frame)) => self.take(frame, now),
                Some(Err(bad)) => write_bad_frame(&mut self.outbox, &bad),
            }
            self.line_since = None;
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
        self.decoder.lend(spare::take_input);
        match poll_read_buf(Pin::new(&mut self.io), cx, self.decoder.room()) {
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
            self.recognise(true)?;
        }
        self.input = Input::Ended;
        if self.io.is_gone() {
            return Err(Ending::Gone);
        }
        let unfinished = std::mem::replace(&mut self.decoder, Decoder::new(&self.service.limits));
        if let Err(bad) = unfinished.finish() {
            write_bad_frame(&mut self.outbox, &bad);
        }
        Ok(())
    }

    /// Tells from the first bytes which protocol it is.
    fn recognise(&mut self, at_end: bool) -> Result<(), Ending> {
        let first = self.decoder.held();
        if first.first().is_some_and(|byte| *byte != b'{') {
            for (which, upgrade) in self.service.upgrades.iter().enumerate() {
                match upgrade.recognises(first) {
                    Recognition::Yes => return Err(Ending::Upgrade(which)),
                    Recognition::NotYet if !at_end => return Ok(()),
                    Recognition::NotYet | Recognition::No => {}
                }
            }
        }
        self.input = Input::Open;
        Ok(())
    }

    /// Whether everything was answered and nothing more will be asked.
    fn is_done(&self) -> bool {
        let no_more = self.input == Input::Ended || self.closing_since.is_some();
        no_more && self.calls.is_idle() && self.outbox.is_empty()
    }

    /// When something is to be done though nothing happens.
    fn due(&mut self, now: &Now) -> Option<Instant> {
        let limits = &self.service.limits;
        self.line_since = if self.decoder.has_begun() && self.may_read() {
            self.line_since.or_else(|| Some(now.get()))
        } else {
            None
        };
        let of = |since: Option<Instant>, limit| since.and_then(|since| after(since, limit));
        let mut due = self.calls.due();
        due = earlier(due, of(self.line_since, limits.read_timeout));
        due = earlier(due, of(self.stuck_since, limits.write_timeout));
        due = earlier(due, of(self.closing_since, limits.drain_timeout));
        due = earlier(due, after(self.looked_at, limits.idle_timeout / LOOKS));
        if self.input == Input::Ended {
            due = earlier(due, after(now.get(), GONE_CHECK));
        }
        due
    }

    /// Sees to what is due.
    fn enforce(&mut self, now: Instant) -> Option<Ending> {
        let limits = &self.service.limits;
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|since| now.duration_since(since) >= limit);
        self.calls.expire(now, &mut self.outbox);
        if is_over(self.stuck_since, limits.write_timeout) {
            tracing::debug!(peer = %self.shared.peer, "an IPC peer does not read; its connection is closed");
            return Some(Ending::Gone);
        }
        if is_over(self.line_since, limits.read_timeout) {
            self.hang_up(&format!("a line took longer than {:?}", limits.read_timeout));
        } else if self.looks_quiet(now) {
            return Some(Ending::Done);
        }
        if is_over(self.closing_since, limits.drain_timeout) {
            self.calls.end(now, &mut self.outbox);
        }
        if self.input == Input::Ended && self.io.is_gone() {
            return Some(Ending::Gone);
        }
        None
    }

    /// Looks whether anything happened, if it is time to. Whether nothing has for as long as it may.
    ///
    /// Reading the clock whenever something happens would cost more than that; so it is looked at four times in that time, and a
    /// connection is closed up to a quarter later than it could be.
    fn looks_quiet(&mut self, now: Instant) -> bool {
        let limit = self.service.limits.idle_timeout;
        if now.duration_since(self.looked_at) < limit / LOOKS {
            return false;
        }
        self.looked_at = now;
        let is_quiet = self.calls.is_idle() && self.outbox.is_empty() && !self.decoder.has_begun();
        let has_happened = std::mem::replace(&mut self.is_active, false);
        self.quiet_looks = if is_quiet && !has_happened { self.quiet_looks + 1 } else { 0 };
        self.quiet_looks >= LOOKS
    }

    /// Says why, and reads no more.
    fn hang_up(&mut self, why: &str) {
        write_failure(&mut self.outbox, Address { id: None, hello: None }, &Failure::new(why).with_code(code::IDLE));
        self.input = Input::Ended;
        self.line_since = None;
        self.decoder = Decoder::new(&self.service.limits);
    }
}
