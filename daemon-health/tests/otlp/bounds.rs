//! Collectors that are not there, or do not answer.

use std::time::{Duration, Instant};

use daemon_core::State;
use daemon_health::otlp::OtlpError;
use tokio::net::TcpListener;

use super::collector::PATIENCE;
use super::*;

/// How many spans were sent and lost.
fn counted(host: &RunningHost) -> [u64; 2] {
    let status = host.handle().status();
    let counters = &status.daemon("otlp").unwrap().counters;
    assert!(counters.iter().all(|of| of.name == "daemon_otlp_spans"));
    let of = |outcome| counters.iter().find(|of| of.labels["outcome"] == outcome).map_or(0, |of| of.value);
    [of("sent"), of("lost")]
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_the_spans_and_no_time() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let spans = Spans::to("mills", &format!("http://{closed}")).unwrap();
    let (host, _guard) = start(&spans).await;
    host.handle().publish_and_wait(Grain(1)).await.unwrap();
    let begun = Instant::now();
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn one_that_takes_the_connection_and_never_answers_does_not_hold_up_the_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spans = Spans::to("mills", &format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.layer()));
    for budget in [Duration::from_millis(400), Duration::from_secs(25)] {
        let host = Host::new("mills").daemon(spans.export()).daemon(Mill).stop_budget(budget).start().await.unwrap();
        host.handle().publish_and_wait(Grain(1)).await.unwrap();
        let begun = Instant::now();
        let report = host.shutdown().await.unwrap();
        assert!(report.is_clean(), "nothing was cut short: {report:#?}");
        assert_eq!(report.daemons.iter().find(|of| of.name == "otlp").unwrap().state, State::Stopped);
        // the budget, or the two seconds that what is left may take, with time for a busy machine
        let most = budget.min(Duration::from_secs(2)) + Duration::from_secs(1);
        assert!(begun.elapsed() < most, "{:?}", begun.elapsed());
    }
    drop(guard);
}

#[tokio::test]
async fn what_waits_is_bounded_and_what_does_not_fit_is_counted() {
    let (collector, at) = super::collector::Collector::start(&[]).await;
    let spans = Spans::to("mills", &format!("http://{at}")).unwrap();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.layer()));
    for number in 0..3_000 {
        drop(tracing::info_span!("span", number));
    }
    let host = Host::new("mills").daemon(spans.export()).start().await.unwrap();
    collector.until(|spans| spans.len() == 2_048).await;
    let deadline = Instant::now() + PATIENCE;
    while counted(&host) != [2_048, 3_000 - 2_048] {
        assert!(Instant::now() < deadline, "{:?}", counted(&host));
        tokio::task::yield_now().await;
    }
    host.shutdown().await.unwrap();
    drop(guard);
}

#[tokio::test]
async fn what_cannot_be_sent_to_is_told() {
    assert!(matches!(Spans::to("x", "https://collector:4318"), Err(OtlpError::Tls { .. })));
    assert!(matches!(Spans::to("x", "collector"), Err(OtlpError::Endpoint { .. })));
    let spans = Spans::to("x", "http://collector").unwrap();
    assert!(matches!(spans.filter("mill=loud"), Err(OtlpError::Filter { .. })));
}
