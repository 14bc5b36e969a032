//! The attribute macros of `daemon-core`. Use them through that crate, which documents and re-exports them.
//!
//! An attribute goes through phases, one module each: `attr` (what its arguments say) and `parse` (what it stands on),
//! then `validate` (the rules), which makes a `model`, then `expand`. A fault stops no phase; `fallback` writes all of
//! them out at once.

#![forbid(unsafe_code)]

mod attr;
mod entry;
mod errors;
mod expand;
mod fallback;
mod model;
mod parse;
mod validate;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Declares a daemon (above its struct) or wires it (above the one `impl` block that holds its handlers).
///
/// Above the struct it takes `name = ".."` (the struct's name in kebab case, without a trailing `Daemon`), `requires(A,
/// B as "b")`, `wants(..)`, `publishes(UserCreated)`, `start_timeout = ".."`, `stop_timeout = ".."`, `restart(on_failure, backoff = "100ms..30s", limit =
/// "5/1m")` (or `never`, `always`), `optional` and `no_handlers`; in both places `crate = path`, if the library goes by another name.
#[proc_macro_attribute]
pub fn daemon(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::daemon(args.into(), item.into()).into()
}

/// Makes a type an event: `#[event("topic")]`, `#[event("topic", local)]` for one that never leaves the process, `#[event("topic",
/// retain)]` for one whose last is kept for those who subscribe later.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    entry::event(item.into()).into()
}

macro_rules! markers {
    ($($(#[$doc:meta])* $marker:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// Works on a method of an `impl` block marked `#[daemon]`, which needs no import of this name.
        #[proc_macro_attribute]
        pub fn $marker(_args: TokenStream, item: TokenStream) -> TokenStream {
            entry::alone(stringify!($marker), item.into()).into()
        }
    )+};
}

markers! {
    /// Calls the method for each event of its parameter's type, or under a topic pattern: `#[on_event("data:*",
    /// when = is_new, capacity = 64, overflow = drop_oldest, startup = 100, on_error = restart)]`. Further options are `overflow =
    /// latest(key = field)`, `queue = "name"`, `concurrency = 4` and `isolated`.
    on_event;
    /// Calls the method at every multiple of a period: `#[every("30s", name = "sync", jitter = "10%", timeout = "20s",
    /// immediately, overlap = queue, missed = catch_up_once, skip_if = Self::is_busy, on_error = fail)]`. The period may also be
    /// the path of a `const` `Duration`, `"off"`, or asked of the daemon at each start: `#[every(from = Self::period)]`.
    every;
    /// Calls the method whenever a cron expression says so: `#[cron("0 3 * * *", tz = "Europe/Berlin")]`, with the options
    /// of `every`. It needs the feature `cron`.
    cron;
    /// Calls the method once another daemon is ready, however long it has been: `#[on_ready(DataDaemon)]`.
    on_ready;
    /// Calls the method once, some time after its own daemon is ready: `#[deferred("2s")]`.
    deferred;
    /// Runs the method for as long as the daemon does; `#[task(finite)]` if it may end earlier, `#[task(restart(always))]`
    /// if it is then to run again.
    task;
    /// Makes the method a health check: `#[health(readiness, timeout = "1s", every = "30s", cache = "5s", fails = 5, passes = 2, group =
    /// "stores", on_error = restart)]`, or `soft` if it only degrades; the kinds are `readiness` (the default), `liveness` and
    /// `startup`.
    health;
    /// Makes the method callable by name, from other daemons and through a host's handle, with a typed client: `#[command(name =
    /// "sum-up", timeout = "5s")]`.
    command;
}
