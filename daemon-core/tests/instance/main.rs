//! One instance: its lock, its PID file, its directory and its socket, as one process sees them. What takes several
//! processes is in the `tests` crate.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod dir;
mod lock;
mod pid_file;
mod socket;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn own_pid() -> u32 {
    std::process::id()
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
