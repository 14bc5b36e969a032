//! Commands: methods that others call by name.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::BoxFuture;
use crate::call::CallError;
use crate::context::Context;
use crate::error::Result;

/// How a command calls into its daemon.
pub type CommandCall<D, Q, A> = for<'a> fn(&'a D, Q, &'a Context) -> BoxFuture<'a, Result<A>>;

/// A method that can be called by name, with a request and a reply that serde can carry.
pub struct Command<D> {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) call: Box<dyn Erased<D>>,
}

/// A command whose request and reply types are hidden behind JSON.
pub(crate) trait Erased<D>: Send + Sync {
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
        Self { name, doc, call: Box::new(Typed(call)) }
    }
}

impl<D> fmt::Debug for Command<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("name", &self.name).field("doc", &self.doc).finish()
    }
}
