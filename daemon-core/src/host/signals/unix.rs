//! SIGINT, SIGTERM and SIGHUP.
//!
//! SIGHUP shuts down if the process had a controlling terminal at its start, since the terminal is then gone. Without one it is the
//! custom of daemons to reload. Where it was ignored at the start, as under `nohup`, it stays ignored.

use std::io;
use std::task::{Context, Poll, Waker};

use libc::{SIGHUP, SIGINT, SIGTERM, c_int};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::Signal;
use super::early::{Disposition, alone, disposition, keep};

/// The signals a host listens to.
#[derive(Debug)]
pub(in crate::host) struct Signals {
    terminate: Source,
    interrupt: Source,
    hang_up: Option<Source>,
}

/// One of them.
#[derive(Debug)]
struct Source {
    stream: Stream,
    /// What it is.
    meant: Signal,
    /// It came before the stream looked, which may have heard of it all the same.
    is_early: bool,
}

impl Signals {
    /// Begins to listen. Needs a tokio runtime with its I/O driver.
    pub(in crate::host) fn listen() -> io::Result<Self> {
        Self::open(signal)
    }

    fn open(stream: impl Fn(SignalKind) -> io::Result<Stream>) -> io::Result<Self> {
        let _alone = alone();
        let obeys_hang_up = disposition(SIGHUP)? != Disposition::Ignored;
        let hang_up = if has_terminal() { Signal::HUP } else { Signal::RELOAD };
        let begin = |signal: c_int, meant| {
            let kept = keep(signal)?;
            let stream = stream(SignalKind::from_raw(signal))?;
            Ok::<_, io::Error>(Source { stream, meant, is_early: kept.has_come() })
        };
        let (terminate, interrupt) = (begin(SIGTERM, Signal::TERM)?, begin(SIGINT, Signal::INT)?);
        let hang_up = obeys_hang_up.then(|| begin(SIGHUP, hang_up)).transpose()?;
        Ok(Self { terminate, interrupt, hang_up })
    }

    /// The next signal. Cancel safe.
    pub(in crate::host) async fn next(&mut self) -> Signal {
        if self.sources().any(|source| source.is_early) {
            // A turn of the runtime's driver, which tells the streams what came after they began to look.
            tokio::task::yield_now().await;
        }
        // What came in the moment in which listening began is one.
        if let Some(signal) = self.sources().filter_map(Source::take_early).reduce(|first, _| first) {
            return signal;
        }
        let hang_up = async {
            match &mut self.hang_up {
                Some(source) => source.stream.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(()) = self.terminate.stream.recv() => self.terminate.meant,
            Some(()) = self.interrupt.stream.recv() => self.interrupt.meant,
            Some(()) = hang_up => self.hang_up.as_ref().map_or(Signal::HUP, |source| source.meant),
            else => std::future::pending().await,
        }
    }

    /// In the order in which they count.
    fn sources(&mut self) -> impl Iterator<Item = &mut Source> {
        [&mut self.terminate, &mut self.interrupt].into_iter().chain(&mut self.hang_up)
    }
}

impl Source {
    /// The signal, if it came early. It is told once, also if the stream has it too: a second one may force the exit.
    fn take_early(&mut self) -> Option<Signal> {
        if !std::mem::take(&mut self.is_early) {
            return None;
        }
        let _: Poll<_> = self.stream.poll_recv(&mut Context::from_waker(Waker::noop())); // the same, if any
        Some(self.meant)
    }
}

/// Whether the process has a controlling terminal; opening `/dev/tty` succeeds only then, see tty(4).
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::pin;
    use std::time::Duration;

    use rustix::process::{getpid, kill_process};

    use super::super::early::{is_kept, make_default};
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// Sends the process a signal; returns when its handler has begun, on whichever thread that is.
    fn send(signal: rustix::process::Signal) {
        kill_process(getpid(), signal).unwrap();
        while !is_kept(signal.as_raw()) {
            std::thread::yield_now();
        }
    }

    /// The only one that may be: a process begins to listen once. Without the handler that keeps them it dies of the first.
    #[tokio::test]
    async fn signals_that_come_while_listening_begins_are_told_once() {
        [SIGTERM, SIGINT].into_iter().for_each(make_default);
        let witness = RefCell::new(None);
        let mut signals = Signals::open(|kind| {
            if kind == SignalKind::terminate() {
                send(rustix::process::Signal::TERM);
                return signal(kind);
            }
            let stream = signal(kind)?;
            if kind == SignalKind::interrupt() {
                witness.replace(Some(signal(kind)?));
                send(rustix::process::Signal::INT);
            }
            Ok(stream)
        })
        .unwrap();
        // By then the stream has heard of the second, too.
        let mut witness = witness.take().unwrap();
        assert_eq!(tokio::time::timeout(LONG, witness.recv()).await, Ok(Some(())));
        assert_eq!(tokio::time::timeout(LONG, signals.next()).await, Ok(Signal::TERM));
        let mut next = pin!(signals.next());
        let again = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
        assert_eq!(again, Poll::Pending, "it is told a second time");
    }
}
