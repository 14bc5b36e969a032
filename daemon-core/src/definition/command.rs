//! Commands: methods that others call by name.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::BoxFuture;
use crate::call::{CallError, Carried, Signature, within};
use crate::context::Context;
use crate::error::Result;
use crate::status::TaskKind;
use crate::task::{FOREVER, Failure};

/// How a command calls into its daemon.
pub type CommandCall<D, Q, A> = for<'a> fn(&'a D, Q, &'a Context) -> BoxFuture<'a, Result<A>>;

/// A method that can be called by name, with a request and a reply that serde can carry.
pub struct Command<D> {
    pub(crate) outline: CommandOutline,
    call: Box<dyn Erased<D>>,
}

/// What can be said of a command without its daemon's type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandOutline {
    pub(crate) signature: Signature,
    pub(crate) doc: &'static str,
    pub(crate) timeout: Option<Duration>,
}

/// A command whose request and reply types are hidden.
trait Erased<D>: Send + Sync {
    fn call<'a>(&self, daemon: &'a D, request: Carried, cx: &'a Context) -> BoxFuture<'a, Result<Carried, CallError>>;
}

struct Typed<D, Q, A>(CommandCall<D, Q, A>);

impl<D, Q, A> Erased<D> for Typed<D, Q, A>
where
    D: Sync,
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
{
    fn call<'a>(&self, daemon: &'a D, request: Carried, cx: &'a Context) -> BoxFuture<'a, Result<Carried, CallError>> {
        let call = self.0;
        Box::pin(request.answer(move |request| call(daemon, request, cx)))
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
        let outline = CommandOutline { signature: Signature::new(name, None, None), doc, timeout: None };
        Self { outline, call: Box::new(Typed(call)) }
    }
}

impl<D> Command<D> {
    /// Gives a call up, as failed, once it has run for `timeout` \[never\], whoever waits for its reply and for how long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.outline.timeout = Some(timeout);
        self
    }

    /// Says how the JSON Schema is made of what it takes, for those who [ask](crate::HostHandle::commands).
    #[must_use]
    pub fn request_schema(mut self, make: fn() -> Value) -> Self {
        self.outline.signature.request = Some(make);
        self
    }

    /// Says how the JSON Schema is made of what it gives.
    #[must_use]
    pub fn reply_schema(mut self, make: fn() -> Value) -> Self {
        self.outline.signature.reply = Some(make);
        self
    }

    /// As both, where it is not known whether there is one.
    #[doc(hidden)]
    #[must_use]
    pub fn schemas(mut self, request: Option<fn() -> Value>, reply: Option<fn() -> Value>) -> Self {
        self.outline.signature = Signature::new(self.outline.signature.name, request, reply);
        self
    }

    /// Makes one call.
    pub(crate) async fn run(&self, daemon: &D, request: Carried, cx: &Context) -> Result<Carried, CallError> {
        let call = self.call.call(daemon, request, cx);
        let Some(limit) = self.outline.timeout else { return call.await };
        let (limit, name) = (limit.min(FOREVER), self.outline.signature.name);
        within(limit, call).await.unwrap_or_else(|| {
            cx.life.failed(TaskKind::Command, name, &Failure::Timeout(limit));
            Err(CallError::Timeout { daemon: cx.name().to_owned(), command: name.to_owned(), limit })
        })
    }
}

impl<D> fmt::Debug for Command<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.outline.signature.name)
            .field("doc", &self.outline.doc)
            .field("timeout", &self.outline.timeout)
            .finish()
    }
}
