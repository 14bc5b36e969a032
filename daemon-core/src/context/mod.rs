//! All a daemon may ask of its host.

mod errand;
mod events;
mod handle;
mod intervals;
mod life;
mod link;
mod register;
mod spawn;

pub(crate) use errand::{Errand, askers};
pub use handle::HostHandle;
pub(crate) use life::{Birth, Life, Phase};
pub(crate) use link::{AnyDaemon, HostLink, Readiness, Wish};
pub use register::Unsubscribe;
pub use spawn::{TaskEnded, TaskHandle};

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::call::{Call, CallError};
use crate::configuration::Configuration;
use crate::counter::Counter;
use crate::declaration::Declared;
use crate::task::{Wait, waits};

/// A daemon's way to its host: publishing, registering, spawning, looking up the daemons it depends on.
///
/// A context belongs to one life of its daemon. From the start of `cleanup` registrations return
/// [`Error::Stopping`](crate::Error::Stopping), after it so does publishing; nothing panics and nothing is registered.
/// Clones are cheap and share that life.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) life: Arc<Life>,
}

impl Context {
    /// The daemon's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.life.daemon
    }

    /// A number that the daemon counts up, such as requests it has answered: seen in its status, and shown with the figures of its
    /// host, where `_total` is added to the name and the daemon's name to the labels. Asked for again, in this life or the next, it
    /// is the same one. Of one daemon 256 are told apart; what comes after shares one for each name, whose labels say `(others)`, and beyond
    /// 512 one whose name is `others`.
    ///
    /// A name is put together as Prometheus has it: lower case, a prefix of the program's own, a unit at the end if it has one.
    ///
    /// ```
    /// # use daemon_core::Context;
    /// # fn answer(cx: &Context) {
    /// cx.counter("chat_requests", "Requests answered.", &[("outcome", "refused")]).add(1);
    /// # }
    /// ```
    #[must_use]
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        self.life.tally.counters.of(name, help, labels)
    }

    /// In [`cleanup`](crate::DaemonBase::cleanup), how long that may still take before it is aborted; `None` before. It becomes less
    /// than it was thought to be if a shutdown begins that has less time.
    #[must_use]
    pub fn cleanup_time_left(&self) -> Option<Duration> {
        self.life.cleanup_by().map(|by| by.saturating_duration_since(Instant::now()))
    }

    /// Waits until running work is to end: for a task, once the daemon's queues are drained; for a handler or a tick,
    /// when the time for draining is up.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send {
        // Nearly every task keeps one; that of an `async fn` would be larger by a fifth.
        waits(Wait::Cancelled, self.life.cancel.cancelled())
    }

    /// Whether [`cancelled`](Self::cancelled) would return at once.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.life.cancel.is_cancelled()
    }

    /// Begins the shutdown of the whole host, and returns at once.
    pub fn request_shutdown(&self) {
        self.life.link.request_shutdown(&format!("daemon `{}`", self.life.daemon));
    }

    /// A daemon that this one `requires`.
    ///
    /// # Panics
    /// If the daemon does not require a `D`; use [`try_daemon`](Self::try_daemon) for what it merely wants.
    #[must_use]
    #[track_caller]
    pub fn daemon<D: Declared>(&self) -> Arc<D> {
        match self.required(|type_id, _| type_id == TypeId::of::<D>()) {
            Some(daemon) => daemon,
            None => panic!("daemon `{}` does not require `{}`; add it to `requires(..)`", self.name(), D::NAME),
        }
    }

    /// The instance named `name` of a daemon that this one `requires`.
    ///
    /// # Panics
    /// If the daemon does not require that instance.
    #[must_use]
    #[track_caller]
    pub fn daemon_as<D: Declared>(&self, name: &str) -> Arc<D> {
        match self.required(|_, instance| instance == name) {
            Some(daemon) => daemon,
            None => panic!("daemon `{}` does not require `{name}`; add it to `requires(..)`", self.name()),
        }
    }

    fn required<D: Declared>(&self, is: impl Fn(TypeId, &str) -> bool) -> Option<Arc<D>> {
        let (_, _, daemon) = self.life.required.iter().find(|(type_id, name, _)| is(*type_id, name))?;
        Arc::downcast(daemon.clone()).ok()
    }

    /// A daemon that runs now, whether or not this one depends on it; asked anew each time.
    #[must_use]
    pub fn try_daemon<D: Declared>(&self) -> Option<Arc<D>> {
        self.life.link.running(TypeId::of::<D>(), None).and_then(|daemon| Arc::downcast(daemon).ok())
    }

    /// The configuration this daemon was started with, or has been [reloaded](crate::DaemonBase::reload) with since; see
    /// [`Host::configuration`](crate::Host::configuration).
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        self.life.configured().configuration
    }

    /// A handle on the whole host.
    #[must_use]
    pub fn host(&self) -> HostHandle {
        HostHandle::new(self.life.link.clone(), self.life.bus.publisher("host"))
    }
}

impl Call for Context {
    async fn call<Q, A>(&self, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        waits(Wait::Call, link::call(&*self.life.link, daemon, command, request)).await
    }
}
