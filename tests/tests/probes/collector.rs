//! rotel, a real OpenTelemetry collector, which shows the spans that it gets.

use super::*;

#[test]
fn a_real_collector_gets_the_spans() {
    let rotel = std::env::var("ROTEL").unwrap_or_else(|_| "rotel-agent".to_owned());
    if !is_there(&rotel) {
        return;
    }
    let (grpc, http, port) = (free_port(), free_port(), free_port());
    let collector = Program::new(&rotel)
        .args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"])
        .args([format!("--otlp-grpc-endpoint=127.0.0.1:{grpc}"), format!("--otlp-http-endpoint=127.0.0.1:{http}")])
        .start()
        .unwrap();
    until("the collector listens", || TcpStream::connect(("127.0.0.1", http)).map_err(|error| error.to_string()));

    let program = visible(port).env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{http}"));
    let running = program.env("OTEL_BSP_SCHEDULE_DELAY", "100").start().unwrap();
    until_ready(port);
    let shown = || collector.text(Source::Stdout) + &collector.text(Source::Stderr);
    until("spans of ticks, publishes and handlers", || {
        let shown = shown();
        let names = ["tick counting.count", "publish number:counted", "process number:counted", "visible"];
        let missing: Vec<_> = names.into_iter().filter(|name| !shown.contains(name)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("no {missing:?} in {shown}")) }
    });
    until("the daemon counts them", || {
        let sent = figure(port, "daemon_otlp_spans_total{daemon=\"otlp\",outcome=\"sent\"}")?;
        if sent > 0.0 { Ok(()) } else { Err(sent.to_string()) }
    });
    assert_eq!(figure(port, "daemon_otlp_spans_total{daemon=\"otlp\",outcome=\"lost\"}"), Ok(0.0));
    stop(running);
    drop(collector);
}
