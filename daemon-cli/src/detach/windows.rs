//! Consoles and standard handles on Windows.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle};
use std::os::windows::process::CommandExt;
use std::process::{Command, ExitStatus};

use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Console::{STD_OUTPUT_HANDLE, SetStdHandle};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};

/// Gives a process that is to be started a console of its own, which nobody sees, so that what closes this one or is typed at it does not
/// reach it. It does not inherit the standard handles of this one: whoever reads what this process prints would wait for the end
/// of the other, too.
#[expect(unsafe_code, reason = "what is inherited has no safe form")]
pub(super) fn set_apart(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
    for handle in [io::stdin().as_raw_handle(), io::stdout().as_raw_handle(), io::stderr().as_raw_handle()] {
        // SAFETY: a standard handle is open as long as the process runs; of one that is none, it is only told that it is.
        unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
    }
}

/// It was started apart.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn leave_terminal() -> io::Result<()> {
    Ok(())
}

/// Takes what is the standard output, and has what is printed go where errors go.
#[expect(unsafe_code, reason = "standard handles cannot be replaced in a safe form")]
pub(super) fn take_stdout() -> io::Result<File> {
    let (taken, errors) = (io::stdout().as_raw_handle(), io::stderr().as_raw_handle());
    if taken.is_null() || taken == errors {
        return io::stdout().as_handle().try_clone_to_owned().map(File::from);
    }
    // What the program starts must not have it, too: whoever waits would else wait for that.
    // SAFETY: it is open.
    if unsafe { SetHandleInformation(taken, HANDLE_FLAG_INHERIT, 0) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: takes a number and a handle that is open as long as the process runs.
    if unsafe { SetStdHandle(STD_OUTPUT_HANDLE, errors) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nobody else's any more: who prints asks each time which handle is the standard output, and this is none.
    Ok(unsafe { File::from_raw_handle(taken) })
}

/// There are none.
pub(super) fn signal(_status: ExitStatus) -> Option<i32> {
    None
}
