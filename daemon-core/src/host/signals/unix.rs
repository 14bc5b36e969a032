//! SIGINT, SIGTERM and SIGHUP.
//!
//! SIGHUP shuts down if the process had a controlling terminal at its start, since the terminal is then gone. Without one it is the
//! custom of daemons to reload. Where it was ignored at the start, as under `nohup`, it stays ignored.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::Signal;

/// The signals a host listens to.
#[derive(Debug)]
pub(in crate::host) struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hang_up: Option<Stream>,
    /// What a hang-up is.
    meant: Signal,
}

impl Signals {
    /// Begins to listen. Needs a tokio runtime with its I/O driver.
    pub(in crate::host) fn listen() -> io::Result<Self> {
        let hang_up = if is_hang_up_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        let meant = if has_terminal() { Signal::HUP } else { Signal::RELOAD };
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hang_up, meant })
    }

    /// The next signal. Cancel safe.
    pub(in crate::host) async fn next(&mut self) -> Signal {
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

/// Whether SIGHUP was ignored when the process started; see sigaction(2).
#[expect(unsafe_code, reason = "asking for a signal's disposition has no safe form")]
fn is_hang_up_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads the disposition, and `action` is a valid place for it.
    let asked = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all-zero bytes are a valid `sigaction`, and a successful call has filled it in.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}
