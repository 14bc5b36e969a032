//! The end of a process in which threads may be blocked: not even what the program, or a library of it, wants done at the exit can
//! hold it up.

use std::time::Duration;

/// Ends the process. What is registered with atexit(3), the thread-local values of the calling thread, and another thread that is
/// inside exit(3) already may take so long; then the system ends it at once.
#[expect(clippy::exit, reason = "returning would run the caller's destructors beside threads that are stuck")]
pub(super) fn exit(code: u8, patience: Duration) -> ! {
    let last_resort = move || {
        std::thread::sleep(patience);
        end(code);
    };
    // Without a thread there is no last resort.
    drop(std::thread::Builder::new().name("daemon-exit".to_owned()).spawn(last_resort));
    std::process::exit(i32::from(code))
}

/// Ends the process without another step of its own; see _exit(2).
#[cfg(unix)]
#[expect(unsafe_code, reason = "there is no safe form of _exit")]
fn end(code: u8) {
    // SAFETY: it does not return, and nothing of this process runs after it.
    unsafe { libc::_exit(i32::from(code)) }
}

/// Ends the process without another step of its own.
#[cfg(windows)]
#[expect(unsafe_code, reason = "there is no safe form of TerminateProcess")]
fn end(code: u8) {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
    // SAFETY: the handle of the current process needs no closing, and nothing of it runs after this.
    unsafe { TerminateProcess(GetCurrentProcess(), u32::from(code)) };
}
