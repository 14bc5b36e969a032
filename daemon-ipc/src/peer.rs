//! Who may be at the other end. Owns the decision, not the finding out.

use daemon_core::Peer;
use std::{fmt, sync::Arc};

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
        let of = |user| {
            let mut peer = us;
            peer.user = user;
            peer
        };
        let policy = Policy::default();
        assert!(policy.allows(&us));
        assert!(policy.allows(&of(Some(0))));
        assert!(!policy.allows(&of(us.user.map(|user| user + 1))));
        assert!(!policy.allows(&of(None)));
        assert!(Policy::anyone().allows(&of(None)));
        assert!(!Policy::of(|peer| peer.group == Some(u32::MAX)).allows(&us));
    }
}
