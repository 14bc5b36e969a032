//! `user`: keeps one client per persona, and the status of every persona true.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon_core::{Context, DaemonBase, Result, daemon};
use serde::{Deserialize, Serialize};

use super::{CommandDaemon, DataDaemon};
use crate::chaos::Strike;
use crate::entity::{Created, Deleted, Status, Updated, User, UserKind};
use crate::persona::{self, PersonaClient};

#[daemon(name = "user", requires(DataDaemon, CommandDaemon))]
#[derive(Default)]
pub(crate) struct UserDaemon {
    clients: Mutex<BTreeMap<String, PersonaClient>>,
    ensuring: tokio::sync::Mutex<()>,
}

/// A persona as its client knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PersonaStatus {
    pub(crate) id: String,
    pub(crate) heard: u64,
}

#[daemon]
impl UserDaemon {
    #[on_event]
    fn user_created(&self, user: &Created<User>, cx: &Context) -> Result<()> {
        self.ensure_client(cx, user)
    }

    #[on_event]
    fn user_updated(&self, user: &Updated<User>, cx: &Context) -> Result<()> {
        self.ensure_client(cx, user)
    }

    #[on_event]
    fn user_deleted(&self, user: &Deleted<User>) {
        self.clients().remove(&user.id);
    }

    /// Makes the standing personas and starts a client for each there is; one at a time, however often it is asked.
    #[on_ready(DataDaemon)]
    async fn ensure_personas(&self, cx: &Context) -> Result<()> {
        let Ok(_only_one) = self.ensuring.try_lock() else { return Ok(()) };
        let data = cx.daemon::<DataDaemon>();
        data.ensure(cx, &persona::standing()).await?;
        for user in data.all::<User>().await? {
            self.ensure_client(cx, &user)?;
        }
        self.reconcile(cx).await?;
        tracing::info!("{} personas listen", self.clients().len());
        Ok(())
    }

    /// Starts the clients that ended by themselves anew.
    #[every("5s", name = "user-monitoring")]
    async fn monitor(&self, cx: &Context) -> Result<()> {
        let mut dead = Vec::new();
        self.clients().retain(|id, client| {
            let is_dead = client.is_dead();
            dead.extend(is_dead.then(|| id.clone()));
            !is_dead
        });
        if dead.is_empty() {
            return Ok(());
        }
        tracing::warn!("personas fell silent and are started anew: {}", dead.join(", "));
        for user in cx.daemon::<DataDaemon>().all::<User>().await? {
            self.ensure_client(cx, &user)?;
        }
        Ok(())
    }

    /// Makes the stored status of every persona what it is: online with a client, else offline.
    #[every("30s", name = "state-reconciliation")]
    async fn reconcile(&self, cx: &Context) -> Result<()> {
        let data = cx.daemon::<DataDaemon>();
        let mut wrong = data.all::<User>().await?;
        {
            let clients = self.clients();
            wrong.retain_mut(|user| {
                let truth = if clients.contains_key(&user.id) { Status::Online } else { Status::Offline };
                user.kind == UserKind::Persona && std::mem::replace(&mut user.status, truth) != truth
            });
        }
        data.put(cx, &wrong).await?;
        Ok(())
    }

    /// The personas that listen, and how much each has heard.
    #[command]
    fn personas(&self) -> Result<Vec<PersonaStatus>> {
        let clients = self.clients();
        Ok(clients.iter().map(|(id, client)| PersonaStatus { id: id.clone(), heard: client.heard() }).collect())
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for UserDaemon {
    /// Ends the clients and leaves every persona offline.
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        self.clients().clear();
        self.reconcile(cx).await
    }
}

impl UserDaemon {
    fn ensure_client(&self, cx: &Context, user: &User) -> Result<()> {
        let mut clients = self.clients();
        if user.kind == UserKind::Persona && !clients.contains_key(&user.id) {
            clients.insert(user.id.clone(), PersonaClient::start(cx, user)?);
        }
        Ok(())
    }

    fn clients(&self) -> MutexGuard<'_, BTreeMap<String, PersonaClient>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use daemon_core::testing::TestHost;

    use super::*;
    use crate::testing::{hold, start, stop, until};

    /// Lends its context to a test.
    #[daemon(name = "lender", requires(DataDaemon, CommandDaemon, UserDaemon), no_handlers)]
    #[derive(Default)]
    struct Lender(Mutex<Option<Context>>);

    impl DaemonBase for Lender {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            *self.0.lock().unwrap() = Some(cx.clone());
            Ok(())
        }
    }

    /// A host whose personas listen.
    async fn listening() -> (TestHost, Context) {
        let daemons = |host: daemon_core::testing::TestHostBuilder| {
            host.daemon(CommandDaemon::new(None)).daemon(UserDaemon::default()).daemon(Lender::default())
        };
        let host = start(daemons).await;
        let user = host.daemon::<UserDaemon>();
        until("listening", async || user.clients().len() == 14 && user.ensuring.try_lock().is_ok()).await;
        let lender = host.daemon::<Lender>();
        let cx = lender.0.lock().unwrap().clone().unwrap();
        (host, cx)
    }

    async fn status_of(host: &TestHost, id: &str) -> Status {
        let users = hold(host.daemon::<DataDaemon>().all::<User>()).await.unwrap();
        users.into_iter().find(|user| user.id == id).unwrap().status
    }

    async fn set_offline(host: &TestHost, cx: &Context, id: &str) {
        let data = host.daemon::<DataDaemon>();
        let mut users = hold(data.all::<User>()).await.unwrap();
        users.retain(|user| user.id == id);
        users[0].status = Status::Offline;
        let written = hold(data.put(cx, &users)).await.unwrap();
        assert_eq!(written.changed(), 1);
        assert_eq!(status_of(host, id).await, Status::Offline);
    }

    #[tokio::test]
    async fn every_five_seconds_a_silent_persona_is_started_anew() {
        let (host, _cx) = listening().await;
        let user = host.daemon::<UserDaemon>();
        host.advance("4999ms").await;
        host.expect_ticks("user-monitoring", 0);
        user.clients().insert("ada".to_owned(), PersonaClient::dead());
        host.advance("1ms").await;
        let is_back = async || user.clients().get_mut("ada").is_some_and(|ada| !ada.is_dead());
        until("started anew", is_back).await;
        assert_eq!(user.clients().len(), 14);
        host.advance("20s").await;
        host.expect_ticks("user-monitoring", 5);
        stop(host).await;
    }

    #[tokio::test]
    async fn every_thirty_seconds_the_stored_status_is_made_true() {
        let (host, cx) = listening().await;
        set_offline(&host, &cx, "grace").await;
        host.advance("29999ms").await;
        host.expect_ticks("state-reconciliation", 0);
        assert_eq!(status_of(&host, "grace").await, Status::Offline);
        host.advance("1ms").await;
        until("made true", async || status_of(&host, "grace").await == Status::Online).await;
        stop(host).await;
    }

    #[tokio::test]
    async fn personas_are_ensured_by_one_at_a_time() {
        let (host, cx) = listening().await;
        let user = host.daemon::<UserDaemon>();
        set_offline(&host, &cx, "alan").await;
        let other = user.ensuring.lock().await;
        hold(user.ensure_personas(&cx)).await.unwrap();
        assert_eq!(status_of(&host, "alan").await, Status::Offline);
        drop(other);
        hold(user.ensure_personas(&cx)).await.unwrap();
        assert_eq!(status_of(&host, "alan").await, Status::Online);
        stop(host).await;
    }
}
