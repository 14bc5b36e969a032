//! What the system does for an instance; each platform is one file. No decision is taken here.

#[cfg(unix)]
mod fork;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

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

/// A file that is open.
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
