//! The figures of the real program: read by `promtool`, and scraped by a real Prometheus, where these are installed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use serde_json::Value;
use tests::{Program, Running, Signal, Source};

use crate::run::{PATIENCE, Place};

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        tests::not_run(program, "it is not installed; see `make prometheus`");
    }
    there
}

/// A program that has written figures in which its personas have been told of each other.
fn started(place: &Place) -> Running {
    let running = place.program().args(["--metrics", "figures.prom"]).start().unwrap();
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("14 personas listen")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let told = "daemon_events_total{daemon=\"room-membership\",outcome=\"handled\",subscription=\"user_created\"} 15\n";
    while !std::fs::read_to_string(place.path("figures.prom")).is_ok_and(|text| text.contains(told)) {
        assert!(Instant::now() < deadline, "never {told} in {:?}", std::fs::read_to_string(place.path("figures.prom")));
        thread::park_timeout(std::time::Duration::from_millis(20));
    }
    running
}

fn stop(mut running: Running) {
    running.signal(Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
}

#[test]
fn promtool_finds_no_fault_in_the_metrics() {
    let place = Place::with_files(50);
    let running = started(&place);
    if is_there("promtool") {
        let figures = std::fs::File::open(place.path("figures.prom")).unwrap();
        let checked = Command::new("promtool").args(["check", "metrics"]).stdin(figures).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    stop(running);
}

/// Answers every request with the file as it is then. Ends with the test's process.
fn serve(path: &Path) -> u16 {
    let (listener, path) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(path.to_owned()));
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let text = std::fs::read_to_string(&*path).unwrap_or_default();
            let mut request = [0; 4096];
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
            let answer = format!("{head}Content-Length: {}\r\n\r\n{text}", text.len());
            // Whoever goes away early is not of interest.
            stream.read(&mut request).and_then(|_| stream.write_all(answer.as_bytes())).ok();
        }
    });
    port
}

/// What Prometheus answers to a query: the value of the first series.
fn query(port: u16, query: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let answer: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1)?).ok()?;
    answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
}

#[test]
fn a_real_prometheus_scrapes_the_metrics() {
    if !is_there("prometheus") {
        return;
    }
    let place = Place::with_files(50);
    let running = started(&place);
    let scraped = serve(&place.path("figures.prom"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: chat, static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]}}]\n"
    );
    std::fs::write(place.path("prometheus.yml"), config).unwrap();
    let mut prometheus = Program::new("/usr/bin/prometheus")
        .current_dir(place.path(""))
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"])
        .args([format!("--web.listen-address=127.0.0.1:{port}")])
        .start()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let wait_for = |wanted: &str, value: &str| {
        while query(port, wanted).as_deref() != Some(value) {
            assert!(Instant::now() < deadline, "{wanted} is {:?}, never {value}", query(port, wanted));
            thread::park_timeout(std::time::Duration::from_millis(50));
        }
    };
    wait_for("up", "1");
    wait_for("count(daemon_state==1)", "16");
    wait_for("sum(daemon_events_total%7Bsubscription=%22user_created%22,daemon=%22room-membership%22%7D)", "15");
    wait_for("count(daemon_event_duration_seconds_bucket%7Ble=%22%2BInf%22%7D)%3Ebool%200", "1");
    prometheus.signal(Signal::TERM).unwrap();
    prometheus.wait(PATIENCE).unwrap();
    stop(running);
}
