//! Signals that come while listening begins.
//!
//! A stream of tokio begins in three steps: a handler is set, it is made known what the handler is to call, and the stream begins
//! to look. A signal between two of them is taken from the system and told to nobody. The handler of here is set before the first
//! and keeps such a signal: until its own successor knows what to call it calls the handler before it, which is this one.
//!
//! First it is asked which handler there is, and then another is set. Two hosts that did so at once could undo what the other has
//! done, and the process would never hear of that signal again. So whoever begins does it [`alone`].

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::c_int;

/// The signals that came since [`keep`], a bit each.
static KEPT: AtomicU32 = AtomicU32::new(0);

/// Held by whoever begins to listen.
static BEGINNING: Mutex<()> = Mutex::new(());

/// What the system does with a signal of this process; see sigaction(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It ends the process.
    Default,
    Ignored,
    /// The handler of here is called, and nothing else yet.
    Kept,
    /// Another handler is called.
    Handled,
}

/// A signal while listening begins. Where no other handler was set until it is dropped, nobody listens: the signal ends the process
/// again.
#[derive(Debug)]
pub(super) struct Kept {
    signal: c_int,
    /// Whether it would have ended the process before.
    was_default: bool,
}

/// Has others wait who begin to listen too.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    BEGINNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the system does with this signal.
pub(super) fn disposition(signal: c_int) -> io::Result<Disposition> {
    exchange(signal, None).map(|action| meaning(&action))
}

/// Keeps this signal from now on, if it would end the process otherwise: where it is ignored nothing is lost, and where it has a
/// handler that goes on hearing it.
pub(super) fn keep(signal: c_int) -> io::Result<Kept> {
    let was_default = disposition(signal)? == Disposition::Default && replace_default(signal)?;
    Ok(Kept { signal, was_default })
}

impl Kept {
    /// Whether the signal has come since.
    pub(super) fn has_come(&self) -> bool {
        self.was_default && is_kept(self.signal)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.was_default && disposition(self.signal).is_ok_and(|now| now == Disposition::Kept) {
            drop(exchange(self.signal, Some(&action(libc::SIG_DFL)))); // what may be asked may be set
        }
    }
}

/// Has the system do with a signal what it does by default, wherever the tests are run: a shell has its background jobs ignore SIGINT.
#[cfg(test)]
pub(super) fn make_default(signal: c_int) {
    exchange(signal, Some(&action(libc::SIG_DFL))).unwrap();
}

/// Whether this signal has come since [`keep`] began with it.
pub(super) fn is_kept(signal: c_int) -> bool {
    KEPT.load(Ordering::Relaxed) & bit(signal) != 0
}

/// Sets the handler of here. Whether it did: who is not of this crate may have set one since it was asked, which is put back then.
fn replace_default(signal: c_int) -> io::Result<bool> {
    KEPT.fetch_and(!bit(signal), Ordering::Relaxed);
    let before = exchange(signal, Some(&action(handler())))?;
    if meaning(&before) == Disposition::Default {
        return Ok(true);
    }
    exchange(signal, Some(&before)).map(|_| false)
}

fn meaning(action: &libc::sigaction) -> Disposition {
    match action.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        other if other == handler() => Disposition::Kept,
        _ => Disposition::Handled,
    }
}

fn handler() -> libc::sighandler_t {
    let handler: extern "C" fn(c_int) = remember;
    handler as libc::sighandler_t
}

/// No signals are blocked while a handler runs, and calls of the system that it interrupts go on.
#[expect(unsafe_code, reason = "the struct of the system has no safe constructor")]
fn action(handler: libc::sighandler_t) -> libc::sigaction {
    // SAFETY: all-zero bytes are a valid `sigaction`.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    action
}

/// Sets what is done with a signal, if anything is given, and returns what was before.
#[expect(unsafe_code, reason = "asking for a signal's disposition, or setting one, has no safe form")]
fn exchange(signal: c_int, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `new` is null, which only asks, or what the system gave, or made by `action` for the default or for `remember`; that
    // does nothing but what a handler may, see signal-safety(7), and is there for as long as the process is. `before` is a valid
    // place.
    match unsafe { libc::sigaction(signal, new, before.as_mut_ptr()) } {
        // SAFETY: all-zero bytes are a valid `sigaction`, and a successful call has filled it in.
        0 => Ok(unsafe { before.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The handler. One store to an atomic, since almost nothing else is allowed in one.
extern "C" fn remember(signal: c_int) {
    KEPT.fetch_or(bit(signal), Ordering::Relaxed);
}

/// The place of a signal; those that a host listens to are all below 32.
fn bit(signal: c_int) -> u32 {
    1 << signal
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::signal::unix::{SignalKind, signal};

    use super::*;

    #[tokio::test]
    async fn a_handler_that_another_sets_meanwhile_is_put_back() {
        let mut heard = signal(SignalKind::user_defined1()).unwrap();
        assert!(!replace_default(libc::SIGUSR1).unwrap());
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::USR1).unwrap();
        let heard = tokio::time::timeout(std::time::Duration::from_secs(30), heard.recv());
        assert_eq!(heard.await, Ok(Some(())), "it is told to whom it was told before");
    }

    #[test]
    fn a_signal_that_nobody_listens_to_after_all_ends_the_process_again() {
        let kept = keep(libc::SIGUSR2).unwrap();
        assert_eq!(disposition(libc::SIGUSR2).unwrap(), Disposition::Kept);
        drop(kept);
        assert_eq!(disposition(libc::SIGUSR2).unwrap(), Disposition::Default);
    }

    #[test]
    fn what_came_before_is_not_told_of_the_next_time() {
        let kept = keep(libc::SIGURG).unwrap();
        assert!(!kept.has_come());
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::URG).unwrap();
        let by = Instant::now() + Duration::from_secs(30);
        while !kept.has_come() {
            assert!(Instant::now() < by, "it never came");
            std::thread::yield_now();
        }
        drop(kept);
        assert!(!keep(libc::SIGURG).unwrap().has_come());
    }

    #[test]
    fn what_is_ignored_stays_ignored() {
        assert_eq!(disposition(libc::SIGPIPE).unwrap(), Disposition::Ignored, "as in every program in Rust");
        let kept = keep(libc::SIGPIPE).unwrap();
        assert_eq!(disposition(libc::SIGPIPE).unwrap(), Disposition::Ignored);
        drop(kept);
        assert_eq!(disposition(libc::SIGPIPE).unwrap(), Disposition::Ignored);
    }

    #[tokio::test]
    async fn a_signal_that_somebody_listens_to_by_then_is_left_to_them() {
        let kept = keep(libc::SIGALRM).unwrap();
        let _listens = signal(SignalKind::alarm()).unwrap();
        drop(kept);
        assert_eq!(disposition(libc::SIGALRM).unwrap(), Disposition::Handled);
    }
}
