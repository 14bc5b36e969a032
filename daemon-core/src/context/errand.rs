//! On whose behalf a command runs: the handler or tick that waits for its reply, and the commands that led to it.
//!
//! A handler that awaits a command does not get on before that command does, so what the command waits for, the handler waits
//! for. While its caller waits, a command therefore waits as if that handler did: a wait for room in the handler's own
//! queue, which nobody would ever make, is refused there instead of ending with the caller's patience. So it is with a tick, whose end the
//! command of its own could wait for. What would wait for its caller's end
//! learns of that, too: see [`askers`].

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use crate::call::CallError;
use crate::event::{Waiter, current_caller, set_current};
use crate::task::{Record, current};

/// After how many calls, each from inside the one before, the next is refused.
const DEEPEST: usize = 64;
/// How many of these an error names.
const TOLD: usize = 8;

thread_local! {
    /// The call that the command polled on this thread answers.
    static CURRENT: RefCell<Option<Arc<Link>>> = const { RefCell::new(None) };
}

/// One call, and the one from inside which it was made.
#[derive(Debug)]
struct Link {
    daemon: Arc<str>,
    command: String,
    depth: usize,
    /// The work that made it.
    asker: Option<Arc<Record>>,
    /// Gone once that no longer waits.
    caller: Weak<()>,
    before: Option<Arc<Link>>,
}

impl Link {
    fn is_waited_for(&self) -> bool {
        self.caller.strong_count() > 0
    }

    /// The last calls that led here, in order. Asked for only beyond [`DEEPEST`], so there are more than are named.
    fn told(&self) -> String {
        let calls = std::iter::successors(Some(self), |link| link.before.as_deref());
        let mut names: Vec<_> = calls.take(TOLD).map(|link| format!("`{}.{}`", link.daemon, link.command)).collect();
        names.reverse();
        format!(".. calls {}", names.join(" calls "))
    }
}

/// The work that waits for the command polled on this thread, what waits for that, and so on.
pub(crate) fn askers() -> Vec<Arc<Record>> {
    CURRENT.with_borrow(|current| {
        let first = current.as_deref().filter(|link| link.is_waited_for());
        let calls = std::iter::successors(first, |link| link.before.as_deref().filter(|link| link.is_waited_for()));
        calls.filter_map(|link| link.asker.clone()).collect()
    })
}

/// What a command runs under.
#[derive(Debug)]
pub(crate) struct Errand {
    link: Arc<Link>,
    /// The handler or tick that waits for it, if one does.
    waiter: Option<Waiter>,
}

impl Errand {
    /// Begins an errand for whoever is polled on this thread, who waits for as long as it keeps the token.
    ///
    /// # Errors
    ///
    /// Too many calls led here.
    pub(crate) fn begin(daemon: &Arc<str>, command: &str) -> Result<(Self, Arc<()>), CallError> {
        let before = CURRENT.with_borrow(Option::clone);
        let depth = before.as_ref().map_or(1, |before| before.depth + 1);
        let token = Arc::new(());
        let (asker, caller) = (current(), Arc::downgrade(&token));
        let link = Link { daemon: daemon.clone(), command: command.to_owned(), depth, asker, caller, before };
        if depth > DEEPEST {
            return Err(CallError::Circular { chain: link.told() });
        }
        Ok((Self { link: Arc::new(link), waiter: current_caller() }, token))
    }

    /// Runs a command as this errand.
    pub(crate) fn run<F: Future>(self, command: F) -> Running<F> {
        Running { command, errand: self }
    }
}

pin_project_lite::pin_project! {
    /// A command under way.
    pub(crate) struct Running<F> {
        #[pin]
        command: F,
        errand: Errand,
    }
}

impl<F: Future> Future for Running<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let waited_for = this.errand.link.is_waited_for();
        let _polling = Polling {
            waiter: set_current(this.errand.waiter.filter(|_| waited_for)),
            link: CURRENT.replace(Some(this.errand.link.clone())),
        };
        this.command.poll(cx)
    }
}

/// Puts back, also after a panic, what this thread polls around a command.
struct Polling {
    waiter: Option<Waiter>,
    link: Option<Arc<Link>>,
}

impl Drop for Polling {
    fn drop(&mut self) {
        set_current(self.waiter.take());
        CURRENT.set(self.link.take());
    }
}
