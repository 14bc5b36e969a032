//! One instance: its lock, its PID file, its directory and its socket, as one process sees them. What takes several
//! processes is in the `tests` crate.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

#[cfg(unix)]
mod dir;
mod lock;
#[cfg(unix)]
#[path = "../log/mod.rs"]
mod log;
mod pid_file;
#[cfg(unix)]
mod socket;

use std::path::Path;

fn own_pid() -> u32 {
    std::process::id()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
