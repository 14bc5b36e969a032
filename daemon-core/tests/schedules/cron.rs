//! Cron expressions by the clock on the wall, which may change by itself and be set.

use super::{S, blank, interval};
use daemon_core::testing::TestHost;
use daemon_core::{DaemonBase, Declaration, Declared, Definition, Host, Interval, Missed, Schedule, Wired, daemon};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[daemon(name = "night")]
#[derive(Default)]
struct Night;

#[daemon]
impl Night {
    #[cron("30 2 * * *", tz = "Europe/Berlin")]
    fn backup(&self) {}

    #[cron("*/30 * * * *", tz = "Europe/Berlin", missed = burst)]
    fn rotate(&self) {}

    #[cron("@daily", missed = catch_up_once, immediately)]
    async fn report(&self) {}
}

impl DaemonBase for Night {}

/// Seconds after 1970.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// 2026-03-29 and 2026-10-25, 00:00 UTC: the clocks in Berlin change an hour later.
const SPRING: u64 = 1_774_742_400;
const AUTUMN: u64 = 1_792_886_400;

async fn from(time: u64) -> TestHost {
    TestHost::new("t").daemon(Night).clock_at(at(time)).start().await
}

#[tokio::test]
async fn in_spring_the_hour_that_is_skipped_costs_no_named_time() {
    let host = from(SPRING + 1).await;
    host.expect_ticks("report", 1); // at once
    host.advance(S(3_598)).await;
    host.expect_ticks("backup", 0);
    host.advance("1s").await;
    host.expect_ticks("backup", 1); // 2:30 is skipped: it comes at 3:00, which follows 1:59
    host.expect_ticks("rotate", 2); // 1:30 and 3:00
    host.advance("1h").await;
    host.expect_ticks("backup", 1);
    host.expect_ticks("rotate", 4);
    assert_eq!(interval(&host, "backup").next_run, Some(Duration::from_secs(22 * 3_600 + 1_800)));
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn in_autumn_the_hour_that_comes_twice_doubles_no_named_time() {
    let host = from(AUTUMN + 1).await;
    host.advance("1h").await;
    host.expect_ticks("backup", 1); // the first 2:30
    host.advance("1h").await;
    host.expect_ticks("backup", 1);
    host.expect_ticks("rotate", 4); // 2:30, 2:00, 2:30, 3:00
    host.advance("1d").await;
    host.expect_ticks("backup", 2);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn after_a_suspend_missed_times_are_made_up_as_declared() {
    let host = from(SPRING - 86_400).await;
    host.suspend("3d 6h").await; // until the 31st at 6:00 UTC
    host.expect_ticks("backup", 0);
    assert_eq!(interval(&host, "backup").skipped, 4);
    host.expect_ticks("rotate", 3 * 48 + 12);
    host.expect_ticks("report", 2); // one for three
    host.advance("1d").await;
    host.expect_ticks("backup", 1);
    host.expect_ticks("report", 3);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_clock_that_is_set_changes_when_the_next_one_comes() {
    let (host, cx) = blank().await; // at midnight
    let noon = |missed| Schedule::cron("0 12 * * *", "UTC").missed(missed);
    cx.register_interval("skip", noon(Missed::Skip), || async {}).unwrap();
    cx.register_interval("once", noon(Missed::CatchUpOnce), || async {}).unwrap();
    cx.register_cron("hourly", "0 * * * *", "UTC", || async {}).unwrap();
    host.settle().await;
    let next = |name| interval(&host, name).next_run.unwrap().as_secs_f64() / 3_600.0;
    assert_eq!((next("skip"), next("hourly")), (12.0, 1.0));

    host.step_clock_forward("10h").await;
    assert_eq!((next("skip"), next("hourly")), (2.0, 1.0));
    host.step_clock_forward("8h").await; // 18:00
    host.expect_ticks("skip", 0);
    host.expect_ticks("once", 1);
    assert_eq!((next("skip"), next("once")), (18.0, 18.0));
    assert_eq!(next("hourly"), 1.0);
    host.expect_ticks("hourly", 2); // 10:00 and 18:00 themselves, on time

    // Set back by two hours: the hours that have been do not come again.
    host.step_clock_back("2h").await;
    assert_eq!(next("hourly"), 3.0);
    host.advance("3h").await;
    host.expect_ticks("hourly", 3);
    // Set back by more: the clock was wrong, and counts as it is now.
    host.step_clock_back("12h").await; // from 19:00 to 7:00
    assert_eq!((next("hourly"), next("once")), (1.0, 5.0));
    host.advance("5h").await;
    host.expect_ticks("once", 2);
    drop(cx);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn it_is_listed_with_its_zone_and_can_be_given_a_period() {
    let host = from(SPRING).await;
    let backup = interval(&host, "backup");
    assert_eq!((&*backup.schedule, backup.period), ("30 2 * * * Europe/Berlin", None));
    assert_eq!(interval(&host, "report").schedule, "@daily UTC");
    host.handle().pause_interval("night", "backup").unwrap();
    host.advance("2d").await;
    host.expect_ticks("backup", 0);
    host.handle().resume_interval("night", "backup").unwrap();
    host.advance("1d").await;
    host.expect_ticks("backup", 1);
    host.handle().set_interval_period("night", "backup", "1h").unwrap();
    host.advance("5h").await;
    host.expect_ticks("backup", 6);
    host.shutdown().await.assert_clean();
}

struct ByHand;
impl Declared for ByHand {
    const DECLARATION: Declaration = Declaration::new("by-hand");
}
impl Wired for ByHand {
    fn wire(definition: &mut Definition<Self>) {
        let nothing: daemon_core::RowCall<Self> = |_, _| Box::pin(async { Ok(()) });
        definition.every(Interval::new("never", Schedule::cron("0 0 31 2 *", "UTC"), nothing)).every(Interval::new(
            "nowhere",
            Schedule::cron("@daily", "Europe/Berln"),
            nothing,
        ));
    }
}
impl DaemonBase for ByHand {}

#[tokio::test]
async fn a_mistake_is_told_in_the_same_words_wherever_it_is_made() {
    let text = Host::new("t").daemon(ByHand).check().unwrap_err().to_string();
    assert!(
        text.contains("cron expression \"0 0 31 2 *\" never comes: no month that it names has such a day"),
        "{text}"
    );
    assert!(text.contains("unknown time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?"), "{text}");
    let (host, cx) = blank().await;
    let fault = cx.register_cron("x", "0 25 * * *", "UTC", || async {}).unwrap_err().to_string();
    assert!(fault.starts_with("\"25\" is no hour in cron expression \"0 25 * * *\""), "{fault}");
    drop(cx);
    host.shutdown().await.assert_clean();
}
