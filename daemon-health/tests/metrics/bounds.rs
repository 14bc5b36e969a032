//! Names that come up at run time do not make series without end.

use super::{Garden, Rain};
use daemon_core::testing::TestHost;
use daemon_health::metrics::{Metrics, OTHERS};
use daemon_health::{HealthChecker, Verdict, from_fn};
use std::time::Duration;

fn value(text: &str, series: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn too_many_names_share_a_series_and_nothing_is_lost() {
    let host = TestHost::start(Garden::default()).await;
    let metrics = Metrics::of(host.handle());
    let cx = host.daemon::<Garden>().context();
    for number in 0..400 {
        cx.register_interval(&format!("made-up-{number}"), Duration::from_secs(1), || async {}).unwrap();
    }
    host.advance("3s").await;
    let ticks = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("daemon_ticks_total{"));
        let values: Vec<u64> = lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        (values.len(), values.iter().sum::<u64>())
    };
    let text = metrics.render(None).text;
    assert_eq!(ticks(&text), (257, 1_200));
    let others = format!("daemon_ticks_total{{daemon=\"garden\",interval=\"{OTHERS}\"}}");
    assert_eq!(value(&text, &others), Some(3 * (401 - 256)));
    let declared = "daemon_ticks_total{daemon=\"garden\",interval=\"water\"}";
    assert_eq!(value(&text, declared), Some(0), "what was there first keeps its name");
    host.advance("1s").await;
    assert_eq!(ticks(&metrics.render(None).text), (257, 1_600), "and each stays where it is");
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn what_ends_stays_in_the_counters() {
    let host = TestHost::start(Garden::default()).await;
    let cx = host.daemon::<Garden>().context();
    let metrics = Metrics::of(host.handle());
    let series = |outcome| {
        format!("daemon_events_total{{daemon=\"garden\",outcome=\"{outcome}\",subscription=\"garden:rain\"}}")
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut pulled = (cx.subscribe::<Rain>().unwrap(), cx.subscribe::<Rain>().unwrap());
        cx.publish(Rain(1)).await.unwrap();
        assert!(pulled.0.recv().await.is_some());
        let text = metrics.render(None).text;
        seen.push((value(&text, &series("handled")), value(&text, &series("abandoned"))));
        drop(pulled);
    }
    assert_eq!(seen, [(Some(1), Some(0)), (Some(2), Some(1)), (Some(3), Some(2))]);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn checks_beyond_the_bound_are_counted() {
    let host = TestHost::start(Garden::default()).await;
    let checker = HealthChecker::new();
    for number in 0..300 {
        checker.register(from_fn(format!("check-{number:03}"), || async { Ok(Verdict::healthy()) })).unwrap();
    }
    checker.check().await;
    let text = Metrics::of(host.handle()).health(move || checker.last()).render(None).text;
    assert_eq!(value(&text, "daemon_health_checks{status=\"healthy\"}"), Some(300));
    assert_eq!(text.matches("\ndaemon_health_check_duration_seconds{").count(), 256);
    host.shutdown().await.assert_clean();
}
