//! Every marker and every option that works today.
#![deny(warnings, missing_docs, unsafe_code, unreachable_pub)]

use daemon_core::{Context, DaemonBase, Envelope, Event, Restart, RestartPolicy, Result, daemon};
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(5);

/// A user was created.
#[derive(Event, Debug, serde::Serialize, serde::Deserialize)]
#[event("data:users:created")]
pub struct UserCreated {
    /// Who.
    pub id: String,
}

/// Never leaves the process.
#[derive(Event)]
#[event("data:cache:cleared", local)]
pub struct Cleared;

/// Known by its pattern only.
#[derive(Event)]
#[event("data:*:created", local)]
pub enum Created<T: Send + Sync + 'static> {
    /// One.
    One(T),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct StatsRequest {
    depth: u32,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Stats {
    users: u32,
}

#[daemon(no_handlers)]
struct DataDaemon;
impl DaemonBase for DataDaemon {}

#[daemon(name = "cache", no_handlers, optional, restart(never))]
struct Cache;
impl DaemonBase for Cache {}

#[daemon(
    name = "user",
    requires(DataDaemon, Cache as "cache-eu"),
    wants(Cache),
    restart(on_failure, backoff = "1s..1m", limit = "10/1h"),
    start_timeout = "10s",
    stop_timeout = "5s"
)]
#[derive(Default)]
struct UserDaemon {
    users: u32,
}

fn is_late(_: &UserDaemon) -> bool {
    true
}

/// A time is a period, too.
fn period(_: &UserDaemon) -> Duration {
    Duration::from_secs(5)
}

/// What went wrong.
#[derive(Debug)]
struct Wrong;
impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrong")
    }
}
impl std::error::Error for Wrong {}
type Mine<T> = std::result::Result<T, Wrong>;

#[daemon]
impl UserDaemon {
    const HOURLY: Duration = Duration::from_secs(3_600);

    #[on_event]
    async fn user_created(&self, event: &UserCreated) -> Result<()> {
        if event.id.is_empty() { Err("empty".into()) } else { Ok(()) }
    }

    #[on_event("data:users:created", capacity = 64, overflow = drop_oldest, startup = 100, on_error = log)]
    fn user_created_too(&self, UserCreated { id: _ }: &UserCreated, _cx: &Context) {}

    #[on_event]
    async fn generic_event(&self, _: &Created<u8>) -> Mine<()> {
        Err(Wrong)
    }

    #[on_event("data:users:*", overflow = block, on_error = restart)]
    async fn any_user_event(&self, _event: &Envelope, cx: &Context) {
        cx.cancelled().await;
    }

    #[on_event("data:**", overflow = drop_newest)]
    async fn counted(&self) {}

    #[on_event(overflow = latest(key = id), concurrency = 4)]
    async fn latest(&self, _event: &UserCreated) {}

    #[on_event("data:users:*", overflow = latest, isolated)]
    fn latest_of_any(&self) {}

    #[on_event(queue = "users", capacity = 64, concurrency = 1)]
    async fn in_order(&self, _event: &UserCreated) {}

    #[on_event("data:users:*", queue = "users", capacity = 64)]
    async fn in_order_too(&self, _event: &Envelope) {}

    #[cfg(any())]
    #[on_event("data:missing", queue = "never", capacity = 1)]
    async fn never_in_order(&self, _event: &Missing) {}

    #[cfg(any())]
    #[on_event("data:missing", queue = "never", capacity = 2)]
    async fn never_in_order_either(&self, _event: &Missing) {}

    #[daemon_core::every("5s")]
    async fn monitor(&self) -> Result<()> {
        Ok(())
    }

    #[every(PERIOD, timeout = "4s")]
    async fn constant(&self) {}

    #[every(Self::HOURLY, on_error = fail)]
    fn hourly(&self) {}

    #[every("30s", name = "state-reconciliation", overlap = skip, missed = skip, jitter = "10%", timeout = "20s", immediately)]
    async fn reconcile(&self, cx: &Context) -> Mine<()> {
        cx.cancelled().await;
        Ok(())
    }

    #[every("1s", overlap = queue, missed = catch_up_once, skip_if = Self::is_busy)]
    async fn queued(&self) {}

    #[every("1s", overlap = queue(3), missed = burst, skip_if = is_late)]
    async fn bounded(&self) {}

    #[every(PERIOD, overlap = concurrent, timeout = "1h")]
    async fn side_by_side(&self) {}

    #[every("5s", overlap = concurrent(4), timeout = "5s")]
    fn a_few(&self) {}

    #[every(from = Self::period)]
    async fn configured(&self) {}

    #[every(from = period, immediately)]
    async fn by_a_function(&self) {}

    #[every("off")]
    async fn by_hand(&self) {}

    #[cron("0 3 * * *")]
    async fn nightly(&self) -> Result<()> {
        Ok(())
    }

    #[cron("*/10 * * * * MON-FRI", tz = "America/New_York", name = "open", missed = catch_up_once, jitter = "5%", timeout = "1h")]
    async fn while_open(&self, _cx: &Context) {}

    #[daemon_core::cron("@daily", overlap = queue, immediately, skip_if = Self::is_busy, on_error = restart)]
    fn daily(&self) {}

    fn is_busy(&self) -> bool {
        false
    }

    fn period(&self) -> daemon_core::Period {
        daemon_core::Period::Off
    }

    #[on_ready(DataDaemon)]
    async fn ensure_personas(&self) -> Result<()> {
        Ok(())
    }

    #[on_ready(Cache as "cache-eu")]
    async fn warm(&self, _: &Context) {}

    #[deferred("2s")]
    async fn catch_up(&self) -> Result<()> {
        Ok(())
    }

    #[task]
    async fn pump(&self, cx: &Context) -> Result<()> {
        cx.cancelled().await;
        Ok(())
    }

    #[task(finite, name = "import-once")]
    async fn import(&self) {}

    #[task(restart(always, backoff = "2s..2s", limit = "7/1m"), name = "poll")]
    async fn poll(&self) {}

    #[task(finite, restart(never))]
    async fn migrate(&self) {}

    #[health]
    async fn store_reachable(&self) -> Result<()> {
        Ok(())
    }

    #[health(liveness, timeout = "1s", name = "alive")]
    fn alive(&self) -> Result<()> {
        Ok(())
    }

    #[health(startup)]
    fn warmed_up(&self) -> Result<()> {
        Ok(())
    }

    /// How many users there are.
    ///
    /// Counted, not guessed.
    #[command]
    async fn stats(&self, request: StatsRequest) -> Result<Stats> {
        Ok(Stats { users: self.users + request.depth })
    }

    #[command(name = "stats-by-reference")]
    async fn by_reference(&self, request: &StatsRequest, cx: &Context) -> Mine<Stats> {
        let _ = cx.name();
        Ok(Stats { users: request.depth })
    }

    #[command]
    fn forget(&self) -> std::result::Result<(), Wrong> {
        Ok(())
    }

    #[cfg(any())]
    #[command]
    async fn never(&self, request: Missing) -> Result<Missing> {
        Ok(request)
    }

    #[cfg(any())]
    #[on_event("data:missing")]
    async fn never_either(&self, _event: &Missing) {}

    #[cfg(unix)]
    #[every("1s", name = "tick")]
    async fn tick_unix(&self) {}

    #[cfg(not(unix))]
    #[every("1s", name = "tick")]
    async fn tick_elsewhere(&self) {}

    fn _helper(&self) {}
}

impl DaemonBase for UserDaemon {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

async fn through<C: daemon_core::Call>(call: C) -> std::result::Result<u32, daemon_core::CallError> {
    let user = UserDaemon::client(&call);
    user.forget().await?;
    user.instance("user-eu").by_reference(&StatsRequest { depth: 1 }).await?;
    Ok(user.stats(&StatsRequest { depth: 1 }).await?.users)
}

fn main() {
    let definition = daemon_core::Definition::<UserDaemon>::of();
    assert_eq!(definition.declaration().name, "user");
    let patient = RestartPolicy::new(Restart::OnFailure).backoff(Duration::from_secs(1), Duration::from_secs(60));
    assert_eq!(definition.declaration().restart, patient.limit(10, UserDaemon::HOURLY));
    assert_eq!(<Cache as daemon_core::Declared>::DECLARATION.restart.restart, Restart::Never);
    assert_eq!(<DataDaemon as daemon_core::Declared>::DECLARATION.restart, RestartPolicy::default());
    let _ = (through::<Double>, <DataDaemon as daemon_core::Declared>::NAME);
    assert_eq!(<DataDaemon as daemon_core::Declared>::NAME, "data");
    let text = format!("{definition:?}");
    let poll = RestartPolicy::new(Restart::Always).backoff(Duration::from_secs(2), Duration::from_secs(2));
    let poll = format!("name: \"poll\", finite: false, restart: {:?}", poll.limit(7, Duration::from_secs(60)));
    assert!(text.contains(&poll), "{poll} in {text}");
    assert!(text.contains("on_error: Fail"), "{text}");
    for name in
        ["state-reconciliation", "hourly", "cache-eu", "Counted, not guessed.", "import-once", "stats-by-reference"]
    {
        assert!(text.contains(name), "{name} in {text}");
    }
}

struct Double;
impl daemon_core::Call for Double {
    async fn call<Q, A>(&self, _: &str, _: &str, _: &Q) -> std::result::Result<A, daemon_core::CallError>
    where
        Q: serde::Serialize + Send + Sync,
        A: serde::de::DeserializeOwned + Send,
    {
        Err(daemon_core::CallError::failed("no"))
    }
}
