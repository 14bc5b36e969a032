//! The place of a connection that comes and goes. Owns that there is at most one at a time, and that closing wins over connecting.

use super::{
    Settings, dial,
    link::{Link, LinkHandle},
};
use crate::{ConnectionError, Endpoint};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

#[derive(Debug)]
pub(super) struct Slot {
    endpoint: Endpoint,
    settings: Arc<Settings>,
    state: Mutex<State>,
    /// Held by the one who connects.
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Arc<LinkHandle>>,
    /// Nobody wants a connection any more.
    closed: bool,
    /// How often it was closed: a connection that was begun before is not wanted.
    closings: u64,
    /// There was one before.
    had_one: bool,
}

impl Slot {
    pub(super) fn new(endpoint: Endpoint, settings: Settings) -> Self {
        let (settings, state) = (Arc::new(settings), Mutex::default());
        Self { endpoint, settings, state, dialing: tokio::sync::Mutex::new(()) }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection there is.
    pub(super) fn current(&self) -> Option<Arc<LinkHandle>> {
        self.state().link.clone().filter(|link| link.is_alive())
    }

    /// Wants a connection again, as if there had never been one.
    pub(super) fn open(&self) {
        let mut state = self.state();
        state.closed = false;
        state.link.take_if(|link| !link.is_alive());
        state.had_one &= state.link.is_some();
    }

    pub(super) fn close(&self) {
        let link = {
            let mut state = self.state();
            state.closed = true;
            state.closings += 1;
            state.link.take()
        };
        if let Some(link) = link {
            link.end();
        }
    }

    /// The connection, made if there is none.
    pub(super) async fn link(&self) -> Result<Arc<LinkHandle>, ConnectionError> {
        match self.known() {
            Some(outcome) => outcome,
            // Whoever has a connection need not have room for how it is made.
            None => Box::pin(self.connect()).await,
        }
    }

    async fn connect(&self) -> Result<Arc<LinkHandle>, ConnectionError> {
        let limit = self.settings.connect_timeout;
        let until = Instant::now() + limit.min(Duration::from_secs(365 * 24 * 60 * 60));
        let too_late =
            |_| ConnectionError::Timeout { socket_path: self.endpoint.name(), timeout: limit, awaited: "connection" };
        let _dialing = timeout_at(until, self.dialing.lock()).await.map_err(too_late)?;
        if let Some(outcome) = self.known() {
            return outcome;
        }
        let (closings, had_one) = {
            let state = self.state();
            (state.closings, state.had_one)
        };
        let attempts = self.settings.reconnect.attempts(had_one, self.settings.waits_for_server);
        let stream = timeout_at(until, dial::dial(&self.endpoint, &attempts)).await.map_err(too_late)??;
        let link = Arc::new(Link::start(stream, self.endpoint.name(), Arc::clone(&self.settings)));
        let mut state = self.state();
        if state.closings != closings {
            return Err(self.closed());
        }
        state.had_one = true;
        state.link = Some(Arc::clone(&link));
        Ok(link)
    }

    /// The connection, or that there is to be none; `None` if one must be made.
    fn known(&self) -> Option<Result<Arc<LinkHandle>, ConnectionError>> {
        let state = self.state();
        if state.closed {
            return Some(Err(self.closed()));
        }
        if let Some(link) = &state.link
            && link.is_alive()
        {
            return Some(Ok(Arc::clone(link)));
        }
        let is_lost_for_good = state.had_one && self.settings.reconnect.is_never();
        is_lost_for_good.then(|| Err(self.closed()))
    }

    fn closed(&self) -> ConnectionError {
        ConnectionError::Closed { socket_path: self.endpoint.name() }
    }
}
