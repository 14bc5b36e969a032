//! Files, locks and processes on Unix. The lock is flock(2), which belongs to the open file and not to the process: no
//! other descriptor that is closed somewhere releases it, and two threads exclude each other as two processes do.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::{Pid, geteuid, test_kill_process};

use super::{Identity, Look};

/// Never a link's target, never a terminal of ours, and no waiting for the other end of a pipe.
const CAREFULLY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

pub(in crate::instance) fn effective_uid() -> u32 {
    geteuid().as_raw()
}

/// Whether there is a process of that number, be it somebody else's or one that has ended and was not waited for.
pub(in crate::instance) fn is_process_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    matches!(test_kill_process(pid), Ok(()) | Err(rustix::io::Errno::PERM))
}

/// Opens a file to lock it and to write to it, and makes it if it is absent. The standard library adds close-on-exec.
pub(in crate::instance) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).custom_flags(flags()).open(path)
}

pub(in crate::instance) fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags()).open(path)
}

fn flags() -> i32 {
    CAREFULLY.bits().cast_signed()
}

pub(in crate::instance) fn look(file: &File) -> io::Result<Look> {
    file.metadata().map(|data| seen(&data))
}

fn seen(data: &Metadata) -> Look {
    Look { identity: identity(data), names: data.nlink(), is_regular: data.is_file(), length: data.len() }
}

pub(in crate::instance) fn identity(data: &Metadata) -> Identity {
    Identity { device: data.dev(), file: data.ino() }
}

/// What has this name now, a link itself and not its target.
pub(in crate::instance) fn look_at(path: &Path) -> io::Result<Option<Look>> {
    match std::fs::symlink_metadata(path) {
        Ok(data) => Ok(Some(seen(&data))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks the file for this one open file alone; whether that was possible.
pub(in crate::instance) fn try_exclusive(file: &File) -> io::Result<bool> {
    answer(|| file.try_lock())
}

/// Locks the file together with others who only share it; whether nobody had it for himself.
pub(in crate::instance) fn try_shared(file: &File) -> io::Result<bool> {
    answer(|| file.try_lock_shared())
}

fn answer(ask: impl Fn() -> Result<(), TryLockError>) -> io::Result<bool> {
    loop {
        match ask() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Gives the lock back, for every copy of the descriptor there may be.
pub(in crate::instance) fn unlock(file: &File) -> io::Result<()> {
    file.unlock()
}

pub(in crate::instance) fn write_at_start(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)
}

pub(in crate::instance) fn read_at_start(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    file.read_at(bytes, 0)
}
