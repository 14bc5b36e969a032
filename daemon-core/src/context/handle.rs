//! A handle on a running host: what it looks like, and what can be asked of it from outside its daemons.

use std::any::TypeId;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::link::{self, HostLink, Wish};
use crate::call::{Call, CallError};
use crate::declaration::Declared;
use crate::error::Error;
use crate::event::{Event, PublishError, Publisher};
use crate::schedule::{Order, Period};
use crate::status::{CheckReport, HostStatus, Transition};

/// A handle on a host. Clones are cheap; a handle does not keep the host running.
#[derive(Clone)]
pub struct HostHandle {
    link: Arc<dyn HostLink>,
    publisher: Publisher,
}

impl HostHandle {
    pub(crate) fn new(link: Arc<dyn HostLink>, publisher: Publisher) -> Self {
        Self { link, publisher }
    }

    pub(crate) fn link(&self) -> Arc<dyn HostLink> {
        self.link.clone()
    }

    /// The host and its daemons as they are now.
    #[must_use]
    pub fn status(&self) -> HostStatus {
        self.link.status()
    }

    /// The latest changes of state of the host and its daemons, at most 1,000, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Transition> {
        self.link.journal()
    }

    /// Begins the shutdown, and returns at once.
    pub fn request_shutdown(&self) {
        self.link.request_shutdown("the host's handle");
    }

    /// A daemon that runs now.
    #[must_use]
    pub fn daemon<D: Declared>(&self) -> Option<Arc<D>> {
        self.link.running(TypeId::of::<D>(), None).and_then(|daemon| Arc::downcast(daemon).ok())
    }

    /// Publishes an event in the host's own name; see [`Context::publish`](crate::Context::publish).
    ///
    /// # Errors
    /// As [`Context::publish`](crate::Context::publish), but for `Stopping`.
    ///
    /// # Cancel safety
    /// As [`Context::publish`](crate::Context::publish).
    pub async fn publish<E: Event>(&self, event: E) -> Result<(), PublishError> {
        self.publisher.publish(event).await
    }

    /// As [`publish`](Self::publish), on a topic known only at run time.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        self.publisher.publish_to(topic, event).await
    }

    /// Stops one daemon, after those that require it, and waits until it has stopped. It stays so until it is started
    /// again; the host goes on. Called from inside work that would have to end first, such as a tick of that daemon, it
    /// returns at once, and takes effect when that work ends; so do the other two.
    ///
    /// # Errors
    /// [`Error::UnknownDaemon`].
    ///
    /// # Cancel safety
    /// The stop goes on even if the future is dropped.
    pub async fn stop_daemon(&self, name: &str) -> Result<(), Error> {
        self.link.steer(name, Wish::Stop).await
    }

    /// Starts one daemon that has stopped or failed, after those it requires, and waits until it runs.
    ///
    /// # Errors
    /// [`Error::UnknownDaemon`]; [`Error::DaemonFailed`]; [`Error::Overruled`] if it is told to stop before it runs;
    /// [`Error::Stopping`] once the host shuts down.
    ///
    /// # Cancel safety
    /// The start goes on even if the future is dropped.
    pub async fn start_daemon(&self, name: &str) -> Result<(), Error> {
        self.link.steer(name, Wish::Start).await
    }

    /// Stops one daemon and starts it again, with those that require it around it, and waits until it runs. No restart
    /// limit is charged.
    ///
    /// # Errors
    /// As [`start_daemon`](Self::start_daemon).
    ///
    /// # Cancel safety
    /// The restart goes on even if the future is dropped.
    pub async fn restart_daemon(&self, name: &str) -> Result<(), Error> {
        self.link.steer(name, Wish::Restart).await
    }

    /// Keeps an interval of a daemon from ticking, until it is resumed or the daemon's life ends. A tick under way goes on.
    ///
    /// # Errors
    /// [`Error::UnknownDaemon`]; [`Error::NotRunning`]; [`Error::UnknownInterval`].
    pub fn pause_interval(&self, daemon: &str, interval: &str) -> Result<(), Error> {
        self.link.order(daemon, interval, Order::Pause)
    }

    /// Lets a paused interval tick again, at the times that are its own.
    ///
    /// # Errors
    /// As [`pause_interval`](Self::pause_interval).
    pub fn resume_interval(&self, daemon: &str, interval: &str) -> Result<(), Error> {
        self.link.order(daemon, interval, Order::Resume)
    }

    /// Makes an interval tick now, paused or not, and returns at once. If it may not, since a tick of it is under way, it
    /// ticks when that has ended, once, however often it is asked meanwhile. Its own times stay as they are.
    ///
    /// # Errors
    /// As [`pause_interval`](Self::pause_interval).
    pub fn run_interval(&self, daemon: &str, interval: &str) -> Result<(), Error> {
        self.link.order(daemon, interval, Order::Run)
    }

    /// Gives an interval another period for the rest of its daemon's life, counted from now: a [`Duration`], or text such as
    /// `"30s"` or `"off"`. It takes the place of a cron expression, too.
    ///
    /// [`Duration`]: std::time::Duration
    ///
    /// # Errors
    /// As [`pause_interval`](Self::pause_interval); [`Error::ZeroPeriod`]; [`Error::Timeout`]; [`Error::Grammar`].
    pub fn set_interval_period<P: TryInto<Period>>(&self, daemon: &str, interval: &str, period: P) -> Result<(), Error>
    where
        Error: From<P::Error>,
    {
        self.link.order(daemon, interval, Order::Period(period.try_into()?))
    }

    /// Runs the health checks of all running daemons, in parallel, each for no longer than its timeout.
    ///
    /// # Cancel safety
    /// Dropping the future gives the answer up; checks under way run to their end or their timeout.
    pub async fn run_checks(&self) -> Vec<CheckReport> {
        self.link.run_checks().await
    }
}

impl std::fmt::Debug for HostHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostHandle").finish_non_exhaustive()
    }
}

impl Call for HostHandle {
    async fn call<Q, A>(&self, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        link::call(&*self.link, daemon, command, request).await
    }
}
