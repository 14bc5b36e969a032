//! Commands: methods that others call by name.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::BoxFuture;
use crate::call::{CallError, within};
use crate::context::Context;
use crate::error::Result;
use crate::status::TaskKind;
use crate::task::{FOREVER, Failure};

/// How a command calls into its daemon.
pub type CommandCall<D, Q, A> = for<'a> fn(&'a D, Q, &'a Context) -> BoxFuture<'a, Result<A>>;

/// A method that can be called by name, with a request and a reply that serde can carry.
pub struct Command<D> {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    call: Box<dyn Erased<D>>,
    timeout: Option<Duration>,
}

/// A command whose request and reply types are hidden behind JSON.
trait Erased<D>: Send + Sync {
    fn call<'a>(&self, daemon: &'a D, request: Value, cx: &'a Context) -> BoxFuture<'a, Result<Value, CallError>>;
}

struct Typed<D, Q, A>(CommandCall<D, Q, A>);

impl<D, Q, A> Erased<D> for Typed<D, Q, A>
where
    D: Sync,
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
{
    fn call<'a>(&self, daemon: &'a D, request: Value, cx: &'a Context) -> BoxFuture<'a, Result<Value, CallError>> {
        let call = self.0;
        Box::pin(async move {
            let request = serde_json::from_value(request).map_err(CallError::request)?;
            let reply = call(daemon, request, cx).await.map_err(CallError::failed)?;
            serde_json::to_value(reply).map_err(CallError::reply)
        })
    }
}

impl<D: Sync + 'static> Command<D> {
    /// A command named `name`; `doc` is what help texts show.
    #[must_use]
    pub fn new<Q, A>(name: &'static str, doc: &'static str, call: CommandCall<D, Q, A>) -> Self
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
    {
        Self { name, doc, call: Box::new(Typed(call)), timeout: None }
    }
}

impl<D> Command<D> {
    /// Gives a call up, as failed, once it has run for `timeout` \[never\], whoever waits for its reply and for how long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes one call.
    pub(crate) async fn run(&self, daemon: &D, request: Value, cx: &Context) -> Result<Value, CallError> {
        let call = self.call.call(daemon, request, cx);
        let Some(limit) = self.timeout else { return call.await };
        let limit = limit.min(FOREVER);
        within(limit, call).await.unwrap_or_else(|| {
            cx.life.failed(TaskKind::Command, self.name, &Failure::Timeout(limit));
            Err(CallError::Timeout { daemon: cx.name().to_owned(), command: self.name.to_owned(), limit })
        })
    }
}

impl<D> fmt::Debug for Command<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .field("doc", &self.doc)
            .field("timeout", &self.timeout)
            .finish()
    }
}
