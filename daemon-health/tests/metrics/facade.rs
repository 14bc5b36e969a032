//! The `metrics` facade, both ways.

use super::{Garden, Rain};
use daemon_core::testing::TestHost;
use daemon_health::metrics::Metrics;
use metrics_exporter_prometheus::PrometheusBuilder;

#[tokio::test]
async fn a_recorder_gets_the_figures_each_time_it_is_told() {
    let host = TestHost::start(Garden::default()).await;
    let figures = Metrics::of(host.handle()).info("version", "1.2.3");
    let recorder = PrometheusBuilder::new().set_buckets(&[0.1, 10.0]).unwrap().build_recorder();
    let shown = recorder.handle();
    let cx = host.daemon::<Garden>().context();
    for round in 1..=3 {
        cx.publish(Rain(1)).await.unwrap();
        host.advance("10s").await;
        metrics::with_local_recorder(&recorder, || figures.record());
        let text = shown.render();
        let has = |line: &str| assert!(text.lines().any(|other| other == line), "no {line} in {text}");
        has("# TYPE daemon_events_offered_total counter");
        has(&format!("daemon_events_offered_total{{daemon=\"garden\",subscription=\"drink\"}} {round}"));
        has("daemon_state{daemon=\"garden\",state=\"running\"} 1");
        has(&format!("daemon_event_duration_seconds_count{{daemon=\"garden\",subscription=\"drink\"}} {round}"));
        has(&format!("daemon_ticks_total{{daemon=\"garden\",interval=\"water\"}} {}", round - 1));
        has(&format!("daemon_tick_lateness_seconds_bucket{{daemon=\"garden\",interval=\"water\",le=\"10\"}} {round}"));
        has("daemon_build_info{daemon_core=\"0.1.0\",host=\"garden\",version=\"1.2.3\"} 1");
    }
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn what_the_program_counts_is_shown_once() {
    let host = TestHost::start(Garden::default()).await;
    let recorder = PrometheusBuilder::new().build_recorder();
    let program = recorder.handle();
    let figures = Metrics::of(host.handle()).program(move || program.render());
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("orders_total", "kind" => "express").increment(2);
        figures.record(); // into the recorder that is shown as well
    });
    let shown = figures.render(Some("application/openmetrics-text"));
    assert_eq!(shown.content_type, "text/plain; version=0.0.4; charset=utf-8", "the recorder knows no other");
    assert!(shown.text.contains("# TYPE orders_total counter\norders_total{kind=\"express\"} 2\n"));
    for told in ["# TYPE daemon_state gauge", "# TYPE daemon_restarts_total counter", "# TYPE daemon_build_info gauge"]
    {
        assert_eq!(shown.text.matches(told).count(), 1, "{told}");
    }
    assert_eq!(shown.text.matches("\ndaemon_host_state{state=\"running\"} 1\n").count(), 1);
    host.shutdown().await.assert_clean();
}
