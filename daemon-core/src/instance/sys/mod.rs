//! What the system does for an instance; each platform is one file. No decision is taken here.

#[cfg(unix)]
mod fork;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::path::Path;

#[cfg(unix)]
pub(super) use fork::Kept;
#[cfg(unix)]
pub(super) use unix::*;
#[cfg(windows)]
pub(super) use windows::*;

/// Which file something is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) file: u64,
}

/// What is seen of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) identity: Identity,
    /// How many names it has.
    pub(super) names: u64,
    /// Whether it is a file at all, and not a link, a pipe or a device.
    pub(super) is_regular: bool,
    /// How many bytes are in it.
    pub(super) length: u64,
}

/// Which file has this name now, a link itself and not its target.
pub(super) fn identity_at(path: &Path) -> io::Result<Option<Identity>> {
    Ok(look_at(path)?.map(|look| look.identity))
}
