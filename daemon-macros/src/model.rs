//! What is to be written, decided: valid by construction, so that expansion cannot fail.

use crate::attr::every::Period;
use crate::attr::health;
use crate::attr::on_event;
use crate::attr::requirement::Requirement;
use crate::attr::restart::Restart;
use crate::attr::schedule::Options;
use crate::attr::time::Time;
use proc_macro2::{Span, TokenStream};
use std::time::Duration;
use syn::{Generics, Ident, LitStr, Meta, Path, Type, Visibility};

/// A declared daemon.
pub(crate) struct Declared {
    pub(crate) krate: Path,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) name: LitStr,
    pub(crate) requires: Vec<Requirement>,
    pub(crate) wants: Vec<Requirement>,
    pub(crate) publishes: Option<Vec<Type>>,
    pub(crate) restart: Option<Restart>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) operations: bool,
    pub(crate) optional: bool,
    pub(crate) no_handlers: bool,
}

/// A wired daemon.
pub(crate) struct Wired {
    pub(crate) krate: Path,
    pub(crate) generics: Generics,
    pub(crate) self_ty: Type,
    pub(crate) rows: Vec<Row>,
    pub(crate) client: Option<Client>,
}

/// One row of the definition, and the method it calls.
pub(crate) struct Row {
    pub(crate) cfgs: Vec<Meta>,
    pub(crate) call: Call,
    pub(crate) kind: RowKind,
}

/// How a method is called.
pub(crate) struct Call {
    pub(crate) method: Ident,
    pub(crate) is_async: bool,
    /// The span of the `&Context` parameter, if there is one.
    pub(crate) context: Option<Span>,
    /// Where a fault in what is returned belongs.
    pub(crate) returns: Span,
}

/// What a row is.
pub(crate) enum RowKind {
    Event { source: Source, options: Box<on_event::Options> },
    Every { name: LitStr, period: Period, options: Options },
    Cron { name: LitStr, expression: LitStr, zone: LitStr, options: Options },
    OnReady { name: LitStr, of: Requirement },
    Deferred { name: LitStr, delay: Time },
    Task { name: LitStr, finite: bool, restart: Option<Restart> },
    Check { name: LitStr, options: Box<health::Options> },
    Command(Box<Command>),
}

/// What an event handler listens to.
pub(crate) enum Source {
    /// Events of one type. `topic` is the literal to compare with the type's own topic; `local` says whether the type
    /// can be named outside the block's generics.
    Typed { name: LitStr, event: Box<Type>, topic: Option<LitStr>, local: bool },
    /// Whatever is published under a pattern; `taken` if the method takes the envelope.
    Envelope { name: LitStr, pattern: LitStr, taken: bool },
}

/// A command: for its row, and for its method of the client.
#[derive(Clone)]
pub(crate) struct Command {
    pub(crate) name: LitStr,
    pub(crate) cfgs: Vec<Meta>,
    pub(crate) docs: Vec<Meta>,
    pub(crate) doc: String,
    pub(crate) method: Ident,
    pub(crate) request: Option<Request>,
    pub(crate) reply: TokenStream,
    pub(crate) timeout: Option<Duration>,
}

/// What a command takes.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) ty: Type,
    pub(crate) by_reference: bool,
}

/// The typed client of a daemon with commands.
pub(crate) struct Client {
    pub(crate) ident: Ident,
    /// The daemon's type without its arguments, for the documentation.
    pub(crate) daemon: Ident,
    pub(crate) commands: Vec<Command>,
}
