//! The three pieces of a daemon: declared, wired, and the hooks it overrides.

use std::future::{Future, ready};

use crate::context::Context;
use crate::declaration::Declared;
use crate::definition::Definition;
use crate::error::Result;

/// Says which handlers a daemon has. Written by `#[daemon]` on its `impl` block, or by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handlers",
    label = "no `#[daemon] impl {Self}` found",
    note = "write `#[daemon]` above the `impl {Self}` block that holds its handlers, or declare it with `#[daemon(no_handlers)]`"
)]
pub trait Wired: Declared {
    /// Adds the daemon's rows to its definition.
    fn wire(definition: &mut Definition<Self>);
}

/// The hooks of a daemon; each does nothing unless overridden.
///
/// There is no `shutdown` to override: stopping is the host's, so that nobody can forget a step of it.
///
/// ```
/// use daemon_core::{Context, DaemonBase, Result, daemon};
///
/// #[daemon(no_handlers)]
/// #[derive(Default)]
/// struct Greeter;
///
/// impl DaemonBase for Greeter {
///     async fn initialize(&self, cx: &Context) -> Result<()> {
///         println!("{} says hello", cx.name());
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `impl DaemonBase`",
    label = "not a daemon yet",
    note = "add `impl DaemonBase for {Self} {{}}`; every method has a default"
)]
pub trait DaemonBase: Declared + Wired {
    /// Runs before the daemon counts as running; events published meanwhile are kept for it.
    ///
    /// # Errors
    /// An error fails the start of this daemon and, by name, of those that require it. [`cleanup`](Self::cleanup)
    /// runs all the same.
    ///
    /// # Cancel safety
    /// The future is dropped when the start times out or the host shuts down; `cleanup` follows.
    fn initialize(&self, cx: &Context) -> impl Future<Output = Result<()>> + Send {
        let _ = cx;
        ready(Ok(()))
    }

    /// Runs once the daemon is running, for work that nobody has to wait for.
    ///
    /// # Errors
    /// An error is logged and counted; the daemon keeps running.
    ///
    /// # Cancel safety
    /// The future is dropped if it outlives its share of the stop.
    fn initialize_deferred(&self, cx: &Context) -> impl Future<Output = Result<()>> + Send {
        let _ = cx;
        ready(Ok(()))
    }

    /// Runs exactly once at the end of every life whose `initialize` was entered, after the last handler, tick and
    /// task has ended and before subscriptions and intervals are dropped.
    ///
    /// # Errors
    /// An error goes into the shutdown report; every later step runs all the same.
    ///
    /// # Cancel safety
    /// The future is dropped when the daemon's share of the stop budget is used up.
    fn cleanup(&self, cx: &Context) -> impl Future<Output = Result<()>> + Send {
        let _ = cx;
        ready(Ok(()))
    }
}
