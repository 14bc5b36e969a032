//! What generated code names, and nobody else: the traits, types and functions it needs, out of reach of the user's own
//! names.
//!
//! Not part of the public interface: anything here may change in any release.

pub use std::clone::Clone;
pub use std::default::Default;
pub use std::fmt::{self, Debug, Formatter};
pub use std::marker::{Copy, PhantomData, Send, Sync};
pub use std::option::Option;
pub use std::primitive::{bool, str};
pub use std::result::Result;
pub use std::sync::Arc;
pub use std::time::Duration;
pub use std::vec::Vec;

pub use daemon_grammar::Percent;
pub use serde_json;

pub use crate::call::{Call, CallError, SchemaOf, Signature, WithSchema, WithoutSchema};
pub use crate::const_check::{Leaves, Text, Trail, assembled, period, report, topic};
pub use crate::context::Context;
pub use crate::daemon::Wired;
pub use crate::declaration::{Declaration, Declared, Dependency, Plane, Published};
pub use crate::definition::{Check, CheckOptions, Command, Deferred, Definition, Interval, OnReady, Task};
pub use crate::event::{Envelope, Event, Filter, Key, Overflow};
pub use crate::policy::{OnError, Restart, RestartPolicy};
pub use crate::schedule::{Missed, Overlap, Period, Schedule};
pub use crate::status::CheckKind;
pub use crate::task::{EventRow as EventHandler, place};

use crate::error::{BoxError, IntoOutcome};

/// Boxes the future of one call.
pub fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> crate::BoxFuture<'a, T> {
    Box::pin(future)
}

/// What a handler returned, as the host counts it.
pub fn outcome(returned: impl IntoOutcome) -> crate::error::Result<()> {
    returned.into_outcome()
}

/// The period that a daemon's function says.
pub fn period_of<D, P: Into<Period>>(from: fn(&D) -> P, daemon: &D) -> Period {
    from(daemon).into()
}

/// What a daemon's function says of whether a tick is to be skipped.
pub fn condition<D>(skip_if: fn(&D) -> bool, daemon: &D) -> bool {
    skip_if(daemon)
}

/// What a command returned, its error boxed.
pub fn reply<R: Reply>(returned: R) -> crate::error::Result<R::Reply> {
    returned.into_reply()
}

/// What a command may return: a result whose error can be boxed.
#[diagnostic::on_unimplemented(
    message = "a command cannot return `{Self}`",
    label = "return a `Result<Reply>`",
    note = "any error that converts into `Box<dyn std::error::Error + Send + Sync>` will do"
)]
pub trait Reply {
    /// What it answers with on success.
    type Reply;

    /// The result with its error boxed.
    fn into_reply(self) -> crate::error::Result<Self::Reply>;
}

impl<T, E: Into<BoxError>> Reply for Result<T, E> {
    type Reply = T;

    fn into_reply(self) -> crate::error::Result<T> {
        self.map_err(Into::into)
    }
}

/// How long a generated client waits unless it is told otherwise.
pub const DEFAULT_TIMEOUT: Duration = crate::call::DEFAULT_TIMEOUT;

/// What a generated client does: one call, with its types to the fore, so that what they lack is said once and of them.
pub fn ask<'a, Q, A>(
    call: &'a impl Call,
    command: (&'a str, &'a str),
    request: &'a Q,
    limit: Duration,
    commands: fn() -> Vec<Signature>,
) -> impl Future<Output = Result<A, CallError>> + Send
where
    Q: serde::Serialize + Send + Sync,
    A: serde::de::DeserializeOwned + Send,
{
    crate::call::ask(call, command, request, limit, commands)
}

/// The filter that a handler names by its path: a plain function, so that one of another type is told of at that path.
pub fn filter<E: std::any::Any + Send + Sync>(passes: fn(&E) -> bool) -> Filter {
    Filter::of(passes)
}

/// The key that a handler names by its field, so that a field that cannot be one is told of there.
pub fn key<E, K>(field: fn(&E) -> &K) -> Key
where
    E: std::any::Any + Send + Sync,
    K: Part + ?Sized + 'static,
{
    Key::of(field)
}

/// A field that tells events apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell events apart",
    label = "a key needs `std::hash::Hash`",
    note = "derive `Hash` for it, or name another field"
)]
pub trait Part: std::hash::Hash {}

#[diagnostic::do_not_recommend]
impl<K: std::hash::Hash + ?Sized> Part for K {}

/// The event as JSON.
pub fn to_json<E: Carried>(event: &E) -> serde_json::Result<serde_json::Value> {
    serde_json::to_value(event)
}

/// An event that can leave the process.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as JSON",
    label = "an event that others may read needs `serde::Serialize`",
    note = "derive `serde::Serialize`, or keep the event in this process: `#[event(\"..\", local)]`"
)]
pub trait Carried: serde::Serialize {}

#[diagnostic::do_not_recommend]
impl<E: serde::Serialize> Carried for E {}
