//! Intervals listed, paused, resumed, run and changed by name.

use super::{MS, S, blank, interval};
use daemon_core::testing::TestHost;
use daemon_core::{Context, DaemonBase, Error, IntervalState, Period, Result, Schedule, daemon};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[daemon(name = "garden")]
#[derive(Default)]
struct Garden(AtomicU64);

#[daemon]
impl Garden {
    #[every("10s", timeout = "9s")]
    async fn water(&self) -> Result<()> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            2 => Err("no water".into()),
            _ => {
                tokio::time::sleep(S(3)).await;
                Ok(())
            }
        }
    }
}

impl DaemonBase for Garden {}

#[tokio::test]
async fn an_interval_tells_what_has_become_of_it() {
    let host = TestHost::start(Garden::default()).await;
    let before = interval(&host, "water");
    assert_eq!((before.last_run, before.next_run, before.running), (None, Some(S(10)), 0));
    assert!(before.lateness.count() == 0 && before.last_duration.is_none());
    host.advance("12s").await;
    let during = interval(&host, "water");
    assert_eq!((during.last_run, during.next_run, during.running), (Some(S(2)), Some(S(8)), 1));
    host.advance("20s").await;
    let after = interval(&host, "water");
    assert_eq!((after.ticks, after.failed, after.last_error.as_deref()), (3, 1, Some("no water")));
    assert_eq!((after.last_run, after.last_duration), (Some(S(2)), Some(S(0))));
    assert_eq!((after.lateness.count(), &*after.schedule, after.period), (3, "10s", Some(S(10))));
    assert_eq!((after.times.count(), before.times.count(), after.times.total() >= S(1)), (3, 0, true));
    let json = serde_json::to_value(&after).unwrap();
    assert_eq!((&json["state"], &json["lateness"]["buckets"][0]["count"]), (&"active".into(), &3.into()));
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn operators_steer_intervals_of_any_daemon() {
    let host = TestHost::start(Garden::default()).await;
    let handle = host.handle();
    let state = || interval(&host, "water").state;

    handle.pause_interval("garden", "water").unwrap();
    handle.pause_interval("garden", "water").unwrap();
    host.advance("35s").await;
    host.expect_ticks("water", 0);
    assert_eq!((state(), interval(&host, "water").next_run), (IntervalState::Paused, None));

    handle.run_interval("garden", "water").unwrap();
    host.settle().await;
    assert_eq!(interval(&host, "water").running, 1, "by hand it runs all the same");
    handle.run_interval("garden", "water").unwrap();
    handle.run_interval("garden", "water").unwrap();
    host.advance("7s").await;
    host.expect_ticks("water", 2); // the two asked for meanwhile are one

    handle.resume_interval("garden", "water").unwrap();
    assert_eq!((state(), interval(&host, "water").next_run), (IntervalState::Active, Some(S(8))), "on its old grid");
    host.advance("8s").await;
    host.expect_ticks("water", 3);

    handle.set_interval_period("garden", "water", "1m").unwrap();
    host.advance("59s").await;
    host.expect_ticks("water", 3);
    host.advance("5s").await;
    host.expect_ticks("water", 4);
    handle.set_interval_period("garden", "water", Period::Off).unwrap();
    host.advance("1h").await;
    host.expect_ticks("water", 4);
    assert_eq!(state(), IntervalState::Off);
    handle.set_interval_period("garden", "water", S(600)).unwrap();
    host.advance("1h 5s").await;
    host.expect_ticks("water", 10);
    assert_eq!(interval(&host, "water").skipped, 0);
    drop(handle);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn what_is_not_there_or_does_not_do_is_refused() {
    let host = TestHost::start(Garden::default()).await;
    let handle = host.handle();
    let text = |result: Result<(), Error>| result.unwrap_err().to_string();
    assert_eq!(
        text(handle.pause_interval("garden", "weed")),
        "daemon `garden` has no interval named `weed`; it has: water"
    );
    assert!(matches!(handle.run_interval("yard", "water"), Err(Error::UnknownDaemon { .. })));
    let set = |period: &str| text(handle.set_interval_period("garden", "water", period));
    assert_eq!(
        set("9s"),
        "interval `water` has a timeout of 9s and a period of 9s, so ticks could overlap; give it a timeout above zero and below \
         the period"
    );
    assert!(set("9 fortnights").starts_with("unknown unit"));
    let zero = handle.set_interval_period("garden", "water", S(0));
    assert!(matches!(zero, Err(Error::ZeroPeriod { .. })));
    assert_eq!(interval(&host, "water").period, Some(S(10)), "nothing has changed");

    handle.stop_daemon("garden").await.unwrap();
    assert_eq!(text(handle.resume_interval("garden", "water")), "daemon `garden` is stopped");
    drop(handle);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_daemon_steers_its_own_also_from_inside_a_tick() {
    let (host, cx) = blank().await;
    let (inner, left) = (cx.clone(), Arc::new(AtomicU64::new(5)));
    let count = left.clone();
    cx.register_interval("count-down", S(1), move || {
        let (cx, left) = (inner.clone(), count.clone());
        async move {
            match left.fetch_sub(1, Ordering::Relaxed) {
                1 => cx.pause_interval("count-down")?,
                3 => cx.set_interval_period("count-down", MS(100))?,
                5 => cx.run_interval("count-down")?,
                _ => {}
            }
            Ok::<_, Error>(())
        }
    })
    .unwrap();
    host.advance("1s").await;
    assert_eq!(left.load(Ordering::Relaxed), 3, "one more at once");
    host.advance("1s").await;
    host.advance("1h").await;
    assert_eq!(left.load(Ordering::Relaxed), 0);
    let status = cx.intervals().remove(0);
    assert_eq!((status.ticks, status.failed, status.state), (5, 0, IntervalState::Paused));
    assert!(cx.run_interval("other").unwrap_err().to_string().ends_with("it has: count-down"));
    cx.clear_interval("count-down").await;
    assert!(cx.run_interval("other").unwrap_err().to_string().ends_with("it has none"));
    drop(cx);
    host.shutdown().await.assert_clean();
}

#[daemon(name = "early", no_handlers)]
#[derive(Default)]
struct Early;

impl DaemonBase for Early {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        for name in ["paused", "run", "changed"] {
            cx.register_interval(name, Schedule::every(S(1)), || async {})?;
        }
        cx.pause_interval("paused")?;
        cx.run_interval("run")?;
        cx.set_interval_period("changed", "1m")?;
        assert!(cx.intervals().iter().all(|interval| interval.next_run.is_none()), "nothing is planned yet");
        tokio::time::sleep(S(30)).await;
        Ok(())
    }
}

#[tokio::test]
async fn an_interval_can_be_steered_before_it_ticks() {
    let host = TestHost::start(Early).await;
    host.advance("1m 500ms").await;
    host.expect_ticks("paused", 0);
    host.expect_ticks("run", 61);
    host.expect_ticks("changed", 1);
    host.shutdown().await.assert_clean();
}
