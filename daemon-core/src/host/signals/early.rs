//! Signals that come while listening begins.
//!
//! A stream of tokio begins in three steps: a handler is set, it is made known what the handler is to call, and the stream begins
//! to look. A signal between two of them is taken from the system and told to nobody. The handler of here is set before the first
//! and keeps such a signal: until its own successor knows what to call it calls the handler before it, which is this one.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::c_int;

/// The signals that came since [`keep`], a bit each.
static KEPT: AtomicU32 = AtomicU32::new(0);

/// What the system does with a signal of this process; see sigaction(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It ends the process.
    Default,
    Ignored,
    /// A handler is called.
    Handled,
}

/// What the system does with this signal.
#[expect(unsafe_code, reason = "asking for a signal's disposition has no safe form")]
pub(super) fn disposition(signal: c_int) -> io::Result<Disposition> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads the disposition, and `action` is a valid place for it.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    if asked != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all-zero bytes are a valid `sigaction`, and a successful call has filled it in.
    Ok(match unsafe { action.assume_init() }.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Handled,
    })
}

/// Keeps this signal from now on, if it would end the process otherwise. Returns whether it does: where it is ignored nothing is
/// lost, and where it has a handler that goes on hearing it.
#[expect(unsafe_code, reason = "setting a handler has no safe form")]
pub(super) fn keep(signal: c_int) -> io::Result<bool> {
    if disposition(signal)? != Disposition::Default {
        return Ok(false);
    }
    let handler: extern "C" fn(c_int) = remember;
    // SAFETY: all-zero bytes are a valid `sigaction`: no flags, and no signals blocked while it runs.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `remember` does nothing but what a handler may: see signal-safety(7). It is there for as long as the process is.
    match unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } {
        0 => Ok(true),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether this signal has come since [`keep`] began with it.
pub(super) fn is_kept(signal: c_int) -> bool {
    KEPT.load(Ordering::Relaxed) & bit(signal) != 0
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
    use libc::{SIGPIPE, SIGUSR2};

    use super::*;

    #[test]
    fn only_what_would_end_the_process_is_kept() {
        assert_eq!(disposition(SIGPIPE).unwrap(), Disposition::Ignored, "as in every program in Rust");
        assert!(!keep(SIGPIPE).unwrap());
        assert_eq!(disposition(SIGPIPE).unwrap(), Disposition::Ignored);
        assert!(keep(SIGUSR2).unwrap());
        assert_eq!(disposition(SIGUSR2).unwrap(), Disposition::Handled);
        assert!(!keep(SIGUSR2).unwrap(), "it has a handler, which goes on hearing it");
    }
}
