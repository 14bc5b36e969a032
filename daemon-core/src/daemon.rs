//! The three pieces of a daemon: declared, wired, and the hooks it overrides.

use std::future::{Future, ready};

use crate::configuration::Configuration;
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

    /// Asks whether the daemon could take on another configuration; it must have no effect. All daemons are asked, side by
    /// side, before the first is [reloaded](Self::reload).
    ///
    /// # Errors
    /// An error refuses the reload: no daemon is reloaded.
    ///
    /// # Cancel safety
    /// The future is dropped when it takes longer than the daemon's start may, or the daemon stops.
    fn check_reload(&self, next: &Configuration, cx: &Context) -> impl Future<Output = Result<()>> + Send {
        let _ = (next, cx);
        ready(Ok(()))
    }

    /// Takes on another configuration, beside handlers, ticks and tasks that go on. Daemons are reloaded one after the
    /// other, each after those it requires or wants. Until it returns [`Context::configuration`] is still the one before.
    ///
    /// If a later daemon cannot, this one is reloaded again, with the configuration it had before.
    ///
    /// # Errors
    /// An error says that the daemon goes on with the configuration it had, and undoes the reload of the others. After a
    /// panic, and if it takes longer than its start may, nobody knows what the daemon has: it fails, and is restarted as its
    /// policy says.
    ///
    /// # Cancel safety
    /// The future is dropped when it takes longer than the daemon's start may, or the daemon stops.
    fn reload(&self, next: &Configuration, cx: &Context) -> impl Future<Output = Result<()>> + Send {
        let _ = (next, cx);
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
