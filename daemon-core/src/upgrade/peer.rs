//! Who is at the other end of a connection.

use std::fmt;

/// Who connected, as the system tells: not what the peer says of itself. By default nothing is known.
///
/// On Windows only the process is told; there the pipe's own descriptor keeps others out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The number of its user (uid).
    pub user: Option<u32>,
    /// The number of its group (gid).
    pub group: Option<u32>,
    /// Its process (pid) at the moment it connected. It may have passed the connection on, or be gone and its number another's.
    pub process: Option<u32>,
}

impl Peer {
    /// A peer inside this process.
    #[must_use]
    pub fn this_process() -> Self {
        let process = Some(std::process::id());
        #[cfg(unix)]
        let (user, group) = (Some(rustix::process::geteuid().as_raw()), Some(rustix::process::getegid().as_raw()));
        #[cfg(not(unix))]
        let (user, group) = (None, None);
        Self { user, group, process }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.process) {
            (Some(user), Some(process)) => write!(f, "user {user}, process {process}"),
            (Some(user), None) => write!(f, "user {user}"),
            (None, Some(process)) => write!(f, "process {process}"),
            (None, None) => f.write_str("somebody unknown"),
        }
    }
}
