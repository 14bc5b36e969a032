//! What is written, word for word.

use super::{Garden, Rain};
use daemon_core::testing::TestHost;
use daemon_health::metrics::Metrics;
use daemon_health::{HealthChecker, Verdict, from_fn};
use std::sync::Arc;

/// All but the figures of the process, which differ each time, and the version.
fn settled(text: &str) -> String {
    let version = format!("daemon_core=\"{}\"", env!("CARGO_PKG_VERSION"));
    let mine = |line: &&str| !line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with("process_");
    let lines = text.lines().filter(|line| !line.starts_with("# UNIT process_")).filter(mine);
    lines.map(|line| line.replace(&version, "daemon_core=\"0\"") + "\n").collect()
}

/// A host in which something of everything has happened, and what its checker said.
async fn busy() -> (TestHost, Arc<HealthChecker>) {
    let host = TestHost::start(Garden::default()).await;
    let checker = Arc::new(HealthChecker::new());
    checker.register(from_fn("soil", || async { Ok(Verdict::degraded("dry")) })).unwrap();
    checker.check().await;
    checker.register(from_fn("never asked", || async { Ok(Verdict::healthy()) })).unwrap();
    let cx = host.daemon::<Garden>().context();
    cx.counter("garden_visitors", "Who came.", &[("kind", "bee")]).add(2);
    cx.counter("garden_visitors", "Who came.", &[("kind", "bee")]).add(1);
    cx.counter("daemon_errors", "An impostor.", &[]).add(99);
    for millis in [3, 3, 0, 70] {
        cx.publish(Rain(millis)).await.unwrap();
    }
    host.advance("25s").await;
    let mut pulled = cx.subscribe::<Rain>().unwrap();
    cx.publish(Rain(1)).await.unwrap();
    assert!(pulled.recv().await.is_some());
    drop(pulled);
    let _open = cx.subscribe::<Rain>().unwrap();
    cx.publish(Rain(9_999)).await.unwrap();
    host.advance("15s").await;
    (host, checker)
}

#[tokio::test]
async fn it_is_what_it_was() {
    let (host, checker) = busy().await;
    let metrics = Metrics::of(host.handle()).info("version", "1.2.3").health(move || checker.last());
    let plain = metrics.render(None);
    assert_eq!(plain.content_type, "text/plain; version=0.0.4; charset=utf-8");
    same("golden.prom", &settled(&plain.text));
    let open = metrics.render(Some("application/openmetrics-text"));
    assert_eq!(open.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    same("golden.openmetrics", &settled(&open.text));
    host.shutdown().await.assert_clean();
}

/// Compares with a file, which `UPDATE=1` writes anew.
fn same(file: &str, text: &str) {
    let path = format!("{}/tests/metrics/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (number, (now, then)) in (1..).zip(text.lines().zip(golden.lines())) {
        assert_eq!(now, then, "{file}:{number}; UPDATE=1 writes it anew");
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "{file}");
}

#[tokio::test]
async fn what_a_process_costs_is_there() {
    let host = TestHost::start(Garden::default()).await;
    let text = Metrics::of(host.handle()).render(None).text;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - value("process_start_time_seconds");
    assert!((-2.0..3_600.0).contains(&age), "{age}");
    if cfg!(target_os = "linux") {
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds"));
        assert!(value("process_cpu_seconds_total") >= 0.0 && value("process_threads") >= 1.0);
    }
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn what_panics_leaves_out_itself_only() {
    let host = TestHost::start(Garden::default()).await;
    let metrics = Metrics::of(host.handle())
        .with(|_| panic!("no figures today"))
        .with(|figures| {
            figures.counter("garden_flowers_total", "Flowers, ever.").add(&[("colour", "re\"d\n")], 7);
            figures.gauge("daemon_state", "An impostor.").add(&[], 1);
            figures.gauge("9 lives", "A name that is none.").add_real(&[("a-b", "c")], 0.5);
        })
        .health(|| panic!("no health today"));
    let text = metrics.render(None).text;
    assert!(text.contains("# TYPE garden_flowers_total counter\ngarden_flowers_total{colour=\"re\\\"d\\n\"} 7\n"));
    assert!(text.contains("\n_9_lives{a_b=\"c\"} 0.5\n"), "{text}");
    assert!(text.contains("daemon_state{daemon=\"garden\",state=\"running\"} 1\n") && !text.contains("impostor"));
    host.shutdown().await.assert_clean();
}
