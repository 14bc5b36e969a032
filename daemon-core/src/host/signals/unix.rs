//! SIGINT, SIGTERM and SIGHUP.
//!
//! SIGHUP shuts down if the process had a controlling terminal at its start, since the terminal is then gone. Without one it is the
//! custom of daemons to reload. Where it was ignored at the start, as under `nohup`, it stays ignored.

use std::io;

use libc::{SIGHUP, SIGINT, SIGTERM};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::Signal;
use super::early::{Disposition, disposition, is_kept, keep};

/// The signals a host listens to.
#[derive(Debug)]
pub(in crate::host) struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hang_up: Option<Stream>,
    /// What a hang-up is.
    meant: Signal,
    /// One that came before all streams looked.
    early: Option<Signal>,
}

impl Signals {
    /// Begins to listen. Needs a tokio runtime with its I/O driver.
    pub(in crate::host) fn listen() -> io::Result<Self> {
        Self::open(signal)
    }

    fn open(stream: impl Fn(SignalKind) -> io::Result<Stream>) -> io::Result<Self> {
        let obeys_hang_up = disposition(SIGHUP)? != Disposition::Ignored;
        let meant = if has_terminal() { Signal::HUP } else { Signal::RELOAD };
        let kept = [
            keep(SIGTERM)?.then_some((SIGTERM, Signal::TERM)),
            keep(SIGINT)?.then_some((SIGINT, Signal::INT)),
            (obeys_hang_up && keep(SIGHUP)?).then_some((SIGHUP, meant)),
        ];
        let hang_up = obeys_hang_up.then(|| stream(SignalKind::hangup())).transpose()?;
        let (interrupt, terminate) = (stream(SignalKind::interrupt())?, stream(SignalKind::terminate())?);
        // One that a stream has too is told twice, within the moment in which two are one.
        let early = kept.into_iter().flatten().find(|(signal, _)| is_kept(*signal)).map(|(_, meant)| meant);
        Ok(Self { interrupt, terminate, hang_up, meant, early })
    }

    /// The next signal. Cancel safe.
    pub(in crate::host) async fn next(&mut self) -> Signal {
        if let Some(signal) = self.early.take() {
            return signal;
        }
        let hang_up = async {
            match &mut self.hang_up {
                Some(stream) => stream.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(()) = self.terminate.recv() => Signal::TERM,
            Some(()) = self.interrupt.recv() => Signal::INT,
            Some(()) = hang_up => self.meant,
            else => std::future::pending().await,
        }
    }
}

/// Whether the process has a controlling terminal; opening `/dev/tty` succeeds only then, see tty(4).
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The only one that may be: a process begins to listen once. Where one of them is not kept it dies of that.
    #[tokio::test]
    async fn a_signal_between_the_steps_of_listening_is_told() {
        let mut signals = Signals::open(|kind| {
            let number = kind.as_raw_value();
            let named = rustix::process::Signal::from_named_raw(number).ok_or(io::ErrorKind::InvalidInput)?;
            rustix::process::kill_process(rustix::process::getpid(), named)?;
            // It may come to another thread, and later; where it is ignored it comes to none.
            while disposition(number)? == Disposition::Handled && !is_kept(number) {
                std::thread::yield_now();
            }
            signal(kind)
        })
        .unwrap();
        assert_eq!(tokio::time::timeout(Duration::from_secs(30), signals.next()).await, Ok(Signal::TERM));
    }
}
