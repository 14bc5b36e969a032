//! Sessions, signals and standard streams on Unix.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::io::Errno;

/// Has a process that is to be started come to nothing else of this one. Here it sees to that itself.
pub(super) fn set_apart(_command: &mut Command) {}

/// Leaves the terminal and its session.
pub(super) fn leave_terminal() -> io::Result<()> {
    match rustix::process::setsid() {
        // It leads a process group, as whatever a shell starts does: somebody tries out what is not for people.
        Ok(_) | Err(Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Takes what is the standard output, and has what is printed go where errors go.
pub(super) fn take_stdout() -> io::Result<File> {
    let taken = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(taken.into())
}

/// The signal that a process was killed by.
pub(super) fn signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}
