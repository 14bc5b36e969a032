//! A handle on a running host: what it looks like, and what can be asked of it from outside its daemons.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::link::{self, HostLink, Wish};
use crate::call::{Call, CallError, Carried, CommandInfo};
use crate::declaration::Declared;
use crate::definition::DeclaredCheck;
use crate::error::Error;
use crate::event::{Event, PublishError, Publisher, SubscribeError, Tap};
use crate::instance::{DaemonLock, Layout, PathError};
use crate::schedule::{Order, Period};
use crate::status::{CheckReport, EventAudit, HostReadiness, HostStatus, Transition};
use crate::task::aside;
use crate::upgrade::Upgrades;

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

    /// What was published so far that nobody heard, and who subscribed so far to what never came. What the daemons declare of
    /// themselves is compared before anything starts, by [`Host::check`](crate::Host::check).
    #[must_use]
    pub fn audit(&self) -> EventAudit {
        self.link.audit()
    }

    /// The lock of the instance, if the host took one, for what is claimed under it, such as a
    /// [socket](crate::instance::SocketClaim). The host gives the lock back last; whoever still has it then keeps it.
    #[must_use]
    pub fn lock(&self) -> Option<DaemonLock> {
        self.link.lock()
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

    /// Publishes an event in the host's own name, and waits until every subscription that was offered it has handled it; see
    /// [`Context::publish_and_wait`](crate::Context::publish_and_wait).
    ///
    /// # Errors
    /// As [`Context::publish_and_wait`](crate::Context::publish_and_wait), but for `Stopping`.
    ///
    /// # Cancel safety
    /// As [`Context::publish_and_wait`](crate::Context::publish_and_wait).
    pub async fn publish_and_wait<E: Event>(&self, event: E) -> Result<usize, PublishError> {
        self.publisher.publish_and_wait(event, &[]).await
    }

    /// As [`publish_and_wait`](Self::publish_and_wait), on a topic known only at run time.
    ///
    /// # Errors
    /// As [`publish_and_wait`](Self::publish_and_wait).
    ///
    /// # Cancel safety
    /// As [`publish_and_wait`](Self::publish_and_wait).
    pub async fn publish_to_and_wait<E: Event>(&self, topic: &str, event: E) -> Result<usize, PublishError> {
        self.publisher.publish_to_and_wait(topic, event, &[]).await
    }

    /// As [`Context::try_publish`](crate::Context::try_publish), in the host's own name.
    ///
    /// # Errors
    /// As [`Context::try_publish`](crate::Context::try_publish), but for `Stopping`.
    pub fn try_publish<E: Event>(&self, event: E) -> Result<(), PublishError> {
        self.publisher.try_publish(event)
    }

    /// As [`try_publish`](Self::try_publish), on a topic known only at run time.
    ///
    /// # Errors
    /// As [`try_publish`](Self::try_publish).
    pub fn try_publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        self.publisher.try_publish_to(topic, event)
    }

    /// The last event of type `E`, if the type [is retained](Event::RETAIN) and its topic no pattern. It is read, not taken.
    #[must_use]
    pub fn retained<E: Event>(&self) -> Option<Arc<E>> {
        self.retained_on(E::TOPIC)
    }

    /// The last event of type `E` on a topic known only at run time, if the type [is retained](Event::RETAIN).
    #[must_use]
    pub fn retained_on<E: Event>(&self, topic: &str) -> Option<Arc<E>> {
        self.publisher.bus().retained(topic)
    }

    /// Looks on at everything published from now on on the topics that `pattern` selects, until the tap is dropped or the host has
    /// stopped. It has no part in what it sees: it holds no publisher up, and is no listener.
    ///
    /// ```
    /// # use daemon_core::{DaemonBase, Event, Host, Result, daemon};
    /// # #[daemon(no_handlers)]
    /// # struct Users;
    /// # impl DaemonBase for Users {}
    /// # #[derive(Event, serde::Serialize)]
    /// # #[event("data:users:created")]
    /// # struct UserCreated { name: &'static str }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// # let host = Host::new("app").daemon(Users).start().await?;
    /// let mut tap = host.handle().tap("data:**")?;
    /// host.handle().publish(UserCreated { name: "Ada" }).await?;
    /// let seen = tap.recv().await.unwrap();
    /// assert_eq!((seen.event.topic(), seen.event.publisher(), seen.missed), ("data:users:created", "host", 0));
    /// assert_eq!(seen.event.to_json().unwrap()?["name"], "Ada");
    /// # host.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SubscribeError::InvalidPattern`].
    pub fn tap(&self, pattern: &str) -> Result<Tap, SubscribeError> {
        self.publisher.bus().tap(self.publisher.name(), pattern)
    }

    /// Stops one daemon, after those that require it, and waits until it has stopped. It stays so until it is started
    /// again; the host goes on. Called from inside work that would have to end first, such as a tick of that daemon or a
    /// command that such a tick waits for, it returns at once, and takes effect when that work ends; so do the other two.
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
    /// [`Error::Stopping`] once the shutdown of the host is asked for: nothing is started then, and nothing stopped to start again,
    /// also while the host goes on for its [`unready_delay`](crate::Host::unready_delay).
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

    /// Whether the host does its work now, as far as the lives of its daemons tell; their health checks may say more. It is
    /// never ready while a daemon that it requires does not run, nor once it is to shut down.
    #[must_use]
    pub fn readiness(&self) -> HostReadiness {
        self.link.host_readiness()
    }

    /// The runtime that the workers are of: where what users wrote runs, for a daemon of another [plane](crate::Plane) that has some to
    /// run. `None` before the host begins to start.
    #[must_use]
    pub fn workers(&self) -> Option<tokio::runtime::Handle> {
        self.link.workers()
    }

    /// The health checks that the daemons declare, whether or not they run.
    #[must_use]
    pub fn checks(&self) -> Vec<DeclaredCheck> {
        self.link.checks()
    }

    /// Runs one health check, for no longer than its timeout. One that fails is an answer.
    ///
    /// # Errors
    /// [`Error::UnknownDaemon`]; [`Error::UnknownCheck`]; [`Error::NotRunning`].
    ///
    /// # Cancel safety
    /// Dropping the future gives the answer up; a check under way runs to its end or its timeout.
    pub async fn run_check(&self, daemon: &str, check: &str) -> Result<CheckReport, Error> {
        self.link.run_check(daemon, check).await
    }

    /// Tells the supervisor that a daemon cannot go on, for what watches over daemons from outside: it is restarted by its policy and
    /// charged to its limit, as if a handler with `on_error = restart` had failed, or with `on_error = fail` if it is
    /// `for_good`. Nothing happens if the daemon has come to another `life` since.
    ///
    /// # Errors
    /// [`Error::UnknownDaemon`].
    pub fn fail_daemon(&self, daemon: &str, life: u64, reason: &str, for_good: bool) -> Result<(), Error> {
        self.link.fail_daemon(daemon, life, reason.to_owned(), for_good)
    }

    /// Whether there is a daemon of that name, whatever its state.
    #[must_use]
    pub fn has_daemon(&self, name: &str) -> bool {
        self.link.has(name)
    }

    /// The names of the daemons, in the order in which they were added.
    #[must_use]
    pub fn daemon_names(&self) -> Vec<String> {
        self.link.names()
    }

    /// The commands of all daemons, running or not, in the order in which the daemons were added.
    #[must_use]
    pub fn commands(&self) -> Vec<CommandInfo> {
        self.link.commands()
    }

    /// What the commands of each daemon that has some look like, as a hash over their names and their schemas as far as there are any: two
    /// programs that were built from the same sources have the same. Programs without the feature `schema` know of names only.
    #[must_use]
    pub fn command_hashes(&self) -> BTreeMap<String, String> {
        self.link.command_hashes()
    }

    /// Calls a command with JSON, and returns its reply as JSON: for who carries calls from elsewhere and does not know their types. The
    /// request is read, the reply written and an error of the command put into words where the command runs, so that no code of its
    /// daemon runs here.
    ///
    /// # Errors
    /// [`CallError`]; the errors inside are text.
    ///
    /// # Cancel safety
    /// As [`Call::call`].
    pub async fn call_json(&self, daemon: &str, command: &str, request: String) -> Result<String, CallError> {
        match self.link.call(daemon, command, Carried::Text(request)).await? {
            Carried::Text(reply) => Ok(reply),
            Carried::Value(reply) => Ok(reply.to_string()),
        }
    }

    /// Runs `work` where the workers' daemons run, for who is on the [operations plane](crate::Plane::Operations) and has code of others to
    /// run, such as writing an event as JSON. `None` if it panicked, or there are no workers any more.
    ///
    /// # Cancel safety
    /// Once polled, the work is done even if the future is dropped.
    pub async fn on_workers<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, done) = oneshot::channel();
        // Nobody may wait for it any more.
        drop(aside(&self.link.workers()?, async move { drop(sender.send(work())) }));
        done.await.ok()
    }

    /// Where the files of this host are: its lock, its PID file, its socket, if it has not been told otherwise.
    ///
    /// # Errors
    /// [`PathError`]: the host's name is none for files, or on Windows no variable names a directory for them.
    pub fn layout(&self) -> Result<Layout, PathError> {
        self.link.layout()
    }

    /// The protocols that daemons of this host understand on a socket that another of them listens on: a daemon adds its own, whoever
    /// listens asks for those of all.
    #[must_use]
    pub fn upgrades(&self) -> Upgrades {
        self.link.upgrades()
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
