//! The task of a connection: reads what comes, writes what callers could not write at once, and looks after deadlines.

use super::{Link, LinkFault};
use crate::{
    Decoder,
    input::poll_read,
    spare,
    timer::{Timer, after, earlier},
    transport::ReadHalf,
};
use daemon_core::with_sources;
use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};
use tokio::time::Instant;

/// The task of a link.
pub(super) struct Reader {
    link: Arc<Link>,
    reader: ReadHalf,
    decoder: Decoder,
    timer: Timer,
    /// Those to be woken when the state is unlocked.
    wakers: Vec<Waker>,
    /// Several callers were woken, who will have more to send.
    has_woken_many: bool,
}

impl Reader {
    pub(super) fn new(link: &Arc<Link>, reader: ReadHalf) -> Self {
        let decoder = Decoder::new(&link.settings.limits);
        Self {
            link: Arc::clone(link),
            reader,
            decoder,
            timer: Timer::default(),
            wakers: Vec::new(),
            has_woken_many: false,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.gathers() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            let Some(due) = self.write(cx) else { return Poll::Ready(()) };
            loop {
                match self.read(cx) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(fault) => {
                        self.link.fail(fault);
                        return Poll::Ready(());
                    }
                }
            }
            if std::mem::take(&mut self.has_woken_many) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(buffer) = self.decoder.take_back() {
                spare::give_input(buffer);
            }
            ready!(self.timer.poll(cx, due));
            self.expire(Instant::now());
        }
    }

    /// Whether it is to wait for one turn: somebody has sent something, and others may be about to.
    fn gathers(&self) -> bool {
        let mut state = self.link.lock();
        let has_waited = state.gathering.take().is_some();
        let gathers = std::mem::take(&mut state.has_sent) && !has_waited && state.open.len() > 1;
        if gathers {
            state.gather();
        }
        gathers
    }

    /// Writes what waits, and tells when something is due though nothing happens. `None` if the link has ended.
    #[expect(clippy::option_option, reason = "the outer one is for `else`: there is no link any more")]
    fn write(&self, cx: &mut Context<'_>) -> Option<Option<Instant>> {
        let mut guard = self.link.lock();
        let state = &mut *guard;
        if state.fault.is_some() {
            return None;
        }
        let task = match &state.task {
            Some(task) if task.will_wake(cx.waker()) => None,
            _ => state.task.replace(cx.waker().clone()),
        };
        let mut progress = false;
        let written = match &mut state.writer {
            Some(writer) if !state.broken => state.outbox.poll_write(writer, cx, &mut progress),
            _ => Poll::Pending,
        };
        match written {
            Poll::Ready(Ok(())) => state.stuck_since = None,
            // The server may have said why before it hung up: what it said is read, up to the end, which is not far.
            Poll::Ready(Err(_)) => {
                state.broken = true;
                state.stuck_since = Some(Instant::now());
            }
            Poll::Pending if progress => state.stuck_since = Some(Instant::now()),
            Poll::Pending => drop(state.stuck_since.get_or_insert_with(Instant::now)),
        }
        let stuck = state.stuck_since.and_then(|since| after(since, self.link.settings.limits.write_timeout));
        let due = earlier(state.armed, stuck);
        let senders = if progress { std::mem::take(&mut state.senders) } else { Vec::new() };
        drop(guard);
        drop(task);
        senders.into_iter().for_each(Waker::wake);
        Some(due)
    }

    /// Reads once, and hands over what came. Whether anything did.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, LinkFault> {
        match poll_read(&mut self.reader, cx, &mut self.decoder) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(self.at_end()),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Poll::Ready(Err(_)) => return Err(LinkFault::Closed),
        }
        let mut heard = Ok(());
        let mut state = self.link.lock();
        loop {
            if let Some(answer) = self.decoder.next_answer() {
                heard = self.link.hear_answer(&mut state, answer, &mut self.wakers);
            } else if let Some(frame) = self.decoder.next() {
                heard = self.link.hear(&mut state, frame, &mut self.wakers);
            } else {
                break;
            }
            if heard.is_err() {
                break;
            }
        }
        if self.wakers.len() > 1 {
            self.has_woken_many = true;
            state.gather();
        }
        drop(state);
        self.wakers.drain(..).for_each(Waker::wake);
        heard.map(|()| true)
    }

    fn at_end(&mut self) -> LinkFault {
        let unfinished = std::mem::replace(&mut self.decoder, Decoder::new(&self.link.settings.limits));
        match unfinished.finish() {
            Ok(()) => LinkFault::Closed,
            Err(bad) => LinkFault::Protocol(with_sources(&bad.error)),
        }
    }

    fn expire(&self, now: Instant) {
        let mut state = self.link.lock();
        let limit = self.link.settings.limits.write_timeout;
        if state.stuck_since.is_some_and(|since| now.duration_since(since) >= limit) {
            drop(state);
            return self.link.fail(LinkFault::Protocol(format!("it has read nothing for {limit:?}")));
        }
        let wakers = state.open.expire(now);
        state.armed = state.open.due();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Without a task nobody would hear anything more, not even that it is late. It goes before its link if its runtime ends.
impl Drop for Reader {
    fn drop(&mut self) {
        self.link.end();
    }
}
