//! How much time a stop has: shared along a chain, less once a shutdown begins, and known to `cleanup`; and what is told of who takes more.

#![allow(clippy::unwrap_used, reason = "a test states what it expects")]

mod probe;

use std::future::pending;

use daemon_core::{Context, DaemonBase, Error, Host, Result, State, daemon};
use probe::{Log, MS, S, assert_nothing_left, until};

#[daemon(name = "greedy", no_handlers)]
struct Greedy(Log);
impl DaemonBase for Greedy {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let guard = self.0.on_drop("greedy guard");
        Ok(cx.register_subscription(move || drop(guard))?)
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("greedy");
        pending().await
    }
}

#[daemon(name = "greedier", requires(Greedy), no_handlers)]
struct Greedier(Log);
impl DaemonBase for Greedier {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let guard = self.0.on_drop("greedier guard");
        Ok(cx.register_subscription(move || drop(guard))?)
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("greedier");
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn daemons_that_hang_one_after_the_other_share_the_budget() {
    for budget in [S(3), S(1), MS(100), MS(1)] {
        let log = Log::default();
        let host = Host::new("t").stop_budget(budget).daemon(Greedy(log.clone())).daemon(Greedier(log.clone()));
        let report = host.start().await.unwrap().shutdown().await.unwrap();
        assert!(u128::from(report.stop_ms) <= budget.as_millis() + 50, "{budget:?}: {report}");
        let took = ["greedier", "greedy"].map(|name| report.daemon(name).unwrap().stop_ms);
        let fair = took.iter().all(|took| u128::from(*took) >= budget.as_millis() * 2 / 5);
        assert!(fair || budget < S(1), "{took:?} of {budget:?}");
        log.in_order(&["greedier", "greedier guard", "greedy", "greedy guard"]);
        assert_eq!(report.exit_code, 75);
        assert_nothing_left(&report);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_under_way_gets_no_more_time_than_a_shutdown_has() {
    let log = Log::default();
    let host = Host::new("t").stop_budget(S(1)).daemon(Greedy(log.clone())).start().await.unwrap();
    let handle = host.handle();
    // Its own share of a restart would be 5 s.
    let restart = tokio::spawn(async move { handle.restart_daemon("greedy").await });
    until("it cleans up", || log.has("greedy")).await;
    let report = host.shutdown().await.unwrap();
    assert!(report.stop_ms <= 1_050, "{report}");
    assert!(matches!(restart.await.unwrap(), Err(Error::Stopping { .. })));
    let cut = &report.daemon("greedy").unwrap().cut[0];
    assert_eq!((&*cut.work, cut.gone, report.exit_code), ("cleanup", true, 75), "{report}");
    assert_nothing_left(&report);
}

/// Says how much time `cleanup` has, before and after half a second.
#[daemon(name = "careful", no_handlers)]
struct Careful(Log);
impl DaemonBase for Careful {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        assert_eq!(cx.cleanup_time_left(), None);
        Ok(())
    }
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let left = || format!("{:?}", cx.cleanup_time_left());
        self.0.say(left());
        tokio::time::sleep(MS(500)).await;
        self.0.say(left());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn cleanup_knows_how_long_it_may_take() {
    let log = Log::default();
    let host = Host::new("t").daemon(Careful(log.clone())).start().await.unwrap();
    host.shutdown().await.unwrap();
    assert_eq!(log.lines(), ["Some(4.5s)", "Some(4s)"], "nine tenths of its share");
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_under_way_learns_that_a_shutdown_has_less_time_for_it() {
    let log = Log::default();
    let host = Host::new("t").stop_budget(S(1)).daemon(Careful(log.clone())).start().await.unwrap();
    let handle = host.handle();
    let restart = tokio::spawn(async move { handle.restart_daemon("careful").await });
    until("it cleans up", || !log.lines().is_empty()).await;
    let report = host.shutdown().await.unwrap();
    assert_eq!(log.lines(), ["Some(4.5s)", "Some(401ms)"], "nine tenths of what is left, from a millisecond later on");
    assert!(report.is_clean(), "{report}");
    assert!(restart.await.unwrap().is_err());
}

/// Its task waits for a tick that never ends.
#[daemon(name = "waits", stop_timeout = "4s")]
struct Waits;
#[daemon]
impl Waits {
    #[every("1s")]
    async fn tick(&self) {
        pending().await
    }
    #[task]
    async fn clears(&self, cx: &Context) {
        tokio::time::sleep(S(2)).await;
        cx.clear_interval("tick").await;
    }
}
impl DaemonBase for Waits {}

#[tokio::test(start_paused = true)]
async fn what_overruns_is_told_of_with_where_it_began_how_often_it_ran_how_long_ago_and_what_it_waits_in() {
    let host = Host::new("t").daemon(Waits).start().await.unwrap();
    tokio::time::sleep(S(10)).await;
    let report = host.shutdown().await.unwrap();
    let [clears, tick] = &report.daemon("waits").unwrap().cut[..] else { panic!("{report}") };
    // It sleeps for two seconds of the ten, and tells of its wait after one, three and seven more: each time it runs.
    assert_eq!((&*clears.work, clears.polls, clears.idle_ms), ("task `clears`", 5, Some(3_800)), "{report}");
    assert_eq!((clears.waits_in.as_deref(), clears.blocking, clears.gone), (Some("cx.clear_interval"), false, true));
    assert!(clears.spawned_at.starts_with("daemon-core/src/host/lived.rs:"), "{report}");
    assert_eq!((&*tick.work, tick.polls, tick.idle_ms), ("interval `tick`", 1, Some(11_800)), "{report}");
    assert_eq!(tick.waits_in, None, "it waits in nothing that the host knows of");
    let line = "task `clears` was aborted, 3.8 s after it last ran, waiting in cx.clear_interval (polled 5 times)";
    assert!(report.to_string().contains(line), "{report}");
    // What did not end well is told of with what came before.
    let stopping = report.journal.iter().find(|line| line.daemon.is_none() && line.state == State::Stopping).unwrap();
    assert_eq!((stopping.at_ms, stopping.cause.as_deref()), (10_000, Some(&*report.cause)), "{report}");
}

#[daemon(name = "absent", optional, no_handlers)]
struct Absent;
impl DaemonBase for Absent {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("no luck".into())
    }
}

#[daemon(name = "lonely", wants(Absent), no_handlers)]
struct Lonely;
impl DaemonBase for Lonely {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(3)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_for_what_does_not_live() {
    let host = Host::new("t").stop_budget(S(4)).daemon(Absent).daemon(Lonely).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert!(report.daemon("lonely").unwrap().cut.is_empty(), "{report}");
}
