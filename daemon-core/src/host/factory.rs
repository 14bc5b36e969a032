//! Where a daemon's value comes from: given once, or made at each start.

use std::future::Future;
use std::sync::{Arc, Mutex};

use crate::BoxFuture;
use crate::error::{BoxError, Result};

/// Makes a daemon's value at each start.
pub(crate) type Make<D> = Box<dyn Fn() -> BoxFuture<'static, Result<D>> + Send + Sync>;

/// Where a daemon's value comes from.
pub(crate) enum Source<D> {
    /// The one value that lives through every restart; taken out when the host stops.
    Value(Mutex<Option<Arc<D>>>),
    /// A factory that is run at each start.
    Factory(Make<D>),
}

/// What [`Host::daemon_with`](crate::Host::daemon_with) takes: a function that returns a daemon, or a future of one,
/// or an error.
#[diagnostic::on_unimplemented(
    message = "this cannot make a daemon",
    label = "not a factory",
    note = "give a function that returns `Result<D, E>`, or a future of it, where `D: DaemonBase`"
)]
pub trait Factory<D, Kind>: Send + Sync + 'static {
    /// Makes the value.
    fn make(&self) -> BoxFuture<'static, Result<D>>;
}

/// A factory that returns a result.
#[derive(Debug)]
pub struct Plain<E>(std::marker::PhantomData<E>);

/// A factory that returns a future of a result.
#[derive(Debug)]
pub struct Async<F, E>(std::marker::PhantomData<(F, E)>);

impl<D, E, M> Factory<D, Plain<E>> for M
where
    D: Send + 'static,
    E: Into<BoxError>,
    M: Fn() -> Result<D, E> + Send + Sync + 'static,
{
    fn make(&self) -> BoxFuture<'static, Result<D>> {
        let made = self().map_err(Into::into);
        Box::pin(std::future::ready(made))
    }
}

impl<D, E, F, M> Factory<D, Async<F, E>> for M
where
    D: 'static,
    E: Into<BoxError>,
    F: Future<Output = Result<D, E>> + Send + 'static,
    M: Fn() -> F + Send + Sync + 'static,
{
    fn make(&self) -> BoxFuture<'static, Result<D>> {
        let made = self();
        Box::pin(async move { made.await.map_err(Into::into) })
    }
}
