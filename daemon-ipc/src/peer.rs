//! Who is at the other end, and whether they may be. Owns the decision, not the finding out.

use std::{fmt, sync::Arc};

/// Who connected, as the system tells: not what the peer says of itself.
///
/// On Windows only the process is told; there the pipe's own descriptor keeps others out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let (user, group) = (Some(crate::transport::current_user()), Some(rustix::process::getegid().as_raw()));
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

/// Who may talk to a server. Asked once for each connection, when it is accepted.
///
/// ```
/// use daemon_ipc::Policy;
///
/// let operators = Policy::of(|peer| peer.group == Some(27));
/// ```
#[derive(Clone)]
pub struct Policy(Rule);

#[derive(Clone)]
enum Rule {
    SameUserOrRoot,
    Anyone,
    Of(Arc<dyn Fn(&Peer) -> bool + Send + Sync>),
}

impl Policy {
    /// The user the server acts for, and root. This is the default.
    #[must_use]
    pub const fn same_user_or_root() -> Self {
        Self(Rule::SameUserOrRoot)
    }

    /// Whoever can open the socket, whose mode then decides alone.
    #[must_use]
    pub const fn anyone() -> Self {
        Self(Rule::Anyone)
    }

    /// Whoever `allows` says yes to.
    pub fn of(allows: impl Fn(&Peer) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::Of(Arc::new(allows)))
    }

    /// Whether a peer may talk.
    #[must_use]
    pub fn allows(&self, peer: &Peer) -> bool {
        match &self.0 {
            Rule::SameUserOrRoot => is_same_user_or_root(peer),
            Rule::Anyone => true,
            Rule::Of(allows) => allows(peer),
        }
    }
}

#[cfg(unix)]
fn is_same_user_or_root(peer: &Peer) -> bool {
    peer.user.is_some_and(|user| user == 0 || user == crate::transport::current_user())
}

/// The pipe's descriptor has decided.
#[cfg(not(unix))]
fn is_same_user_or_root(_: &Peer) -> bool {
    true
}

impl Default for Policy {
    fn default() -> Self {
        Self::same_user_or_root()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Rule::SameUserOrRoot => "Policy::same_user_or_root",
            Rule::Anyone => "Policy::anyone",
            Rule::Of(_) => "Policy::of(..)",
        })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_same_user_and_root_may_and_others_may_not() {
        let us = Peer::this_process();
        let of = |user| Peer { user, ..us };
        let policy = Policy::default();
        assert!(policy.allows(&us));
        assert!(policy.allows(&of(Some(0))));
        assert!(!policy.allows(&of(us.user.map(|user| user + 1))));
        assert!(!policy.allows(&of(None)));
        assert!(Policy::anyone().allows(&of(None)));
        assert!(!Policy::of(|peer| peer.group == Some(u32::MAX)).allows(&us));
    }
}
