//! `promtool`, and a real Prometheus that scrapes a chatroom.

use serde_json::Value;

use super::*;

/// A chatroom whose personas have been told of each other, and which other processes have asked something.
fn chatroom(place: &Place, port: u16) -> Running {
    std::fs::create_dir(place.path("tree")).unwrap();
    let program = Program::new(built("chatroom", Target::Bin("chatroom")).unwrap()).runtime_dir(place.path("run"));
    std::fs::create_dir(place.path("run")).unwrap();
    let running =
        program.current_dir(place.path("")).args(["--watch", "tree", "--http", &port.to_string()]).start().unwrap();
    let told = "daemon_events_total{daemon=\"room-membership\",outcome=\"handled\",subscription=\"user_created\"}";
    until("15 users", || {
        figure(port, told).and_then(|users| if users == 15.0 { Ok(()) } else { Err(users.to_string()) })
    });
    let mut socket = std::os::unix::net::UnixStream::connect(place.path("run/chatroom/daemon.sock")).unwrap();
    socket.write_all(b"{\"id\":\"1\",\"type\":\"request\",\"payload\":{\"command\":\"nobody.nothing\"}}\n").unwrap();
    let mut answer = [0; 1];
    socket.read_exact(&mut answer).unwrap();
    running
}

/// What there is to see of every host, whatever happens in it.
const ALWAYS: [&str; 20] = [
    "daemon_build_info",
    "daemon_host_state",
    "daemon_host_uptime_seconds",
    "daemon_state",
    "daemon_restarts_total",
    "daemon_errors_total",
    "daemon_panics_total",
    "daemon_last_start_duration_seconds",
    "daemon_events_offered_total",
    "daemon_events_total",
    "daemon_event_duration_seconds_bucket",
    "daemon_queue_depth",
    "daemon_ticks_total",
    "daemon_tick_duration_seconds_bucket",
    "daemon_tick_lateness_seconds_bucket",
    "daemon_health_status",
    "daemon_ipc_calls_total",
    "daemon_ipc_errors_total",
    "process_resident_memory_bytes",
    "process_open_fds",
];

#[test]
fn promtool_finds_no_fault_in_the_metrics() {
    let (place, port) = (Place::new(), free_port());
    let running = chatroom(&place, port);
    // The first ticks and checks come in their time.
    let text = until("all figures", || {
        let (_, text) = get(port, "/metrics").ok_or("no answer")?;
        let is_shown = |name: &str| {
            text.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        };
        let missing: Vec<_> = ALWAYS.into_iter().filter(|name| !is_shown(name)).collect();
        if missing.is_empty() { Ok(text) } else { Err(format!("no {missing:?}")) }
    });
    if is_there("promtool") {
        let figures = std::fs::File::open(place.write("figures.prom", &text)).unwrap();
        let checked = Command::new("promtool").args(["check", "metrics"]).stdin(figures).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        assert_eq!((checked.stdout, checked.stderr), (Vec::new(), Vec::new()));
    }
    stop(running);
}

/// What Prometheus answers to a query: the value of the first series.
fn query(port: u16, query: &str) -> Option<String> {
    let (_, answer) = get(port, &format!("/api/v1/query?query={query}"))?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
}

#[test]
fn a_real_prometheus_scrapes_the_metrics() {
    if !is_there("prometheus") {
        return;
    }
    let (place, scraped, port) = (Place::new(), free_port(), free_port());
    let running = chatroom(&place, scraped);
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: chat, static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]}}]\n"
    );
    place.write("prometheus.yml", &config);
    let mut prometheus = Program::new("prometheus")
        .current_dir(place.path(""))
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"])
        .args([format!("--web.listen-address=127.0.0.1:{port}")])
        .start()
        .unwrap();
    for (wanted, value) in [
        ("up", "1"),
        ("count(daemon_state==1)", "17"),
        ("sum(daemon_events_total%7Bsubscription=%22user_created%22,daemon=%22room-membership%22%7D)", "15"),
        ("count(daemon_event_duration_seconds_bucket%7Ble=%22%2BInf%22%7D)%3Ebool%200", "1"),
        ("sum(daemon_ipc_errors_total)", "1"),
    ] {
        until(wanted, || match query(port, wanted) {
            Some(is) if is == value => Ok(()),
            other => Err(format!("{other:?}, not {value}")),
        });
    }
    prometheus.signal(Signal::TERM).unwrap();
    prometheus.wait(PATIENCE).unwrap();
    stop(running);
}
