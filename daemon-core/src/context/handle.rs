//! A handle on a running host: what it looks like, and what can be asked of it from outside its daemons.

use std::any::TypeId;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::link::{self, HostLink};
use crate::call::{Call, CallError};
use crate::definition::Declared;
use crate::event::{Event, PublishError, Publisher};
use crate::status::{CheckReport, HostStatus};

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

    /// The host and its daemons as they are now.
    #[must_use]
    pub fn status(&self) -> HostStatus {
        self.link.status()
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
