//! rotel, a real OpenTelemetry collector, which shows the spans that it gets.

use std::collections::BTreeMap;

use super::*;

#[test]
fn a_real_collector_gets_the_spans_and_their_links() {
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
    until("each handler linked to its publish, and that to its tick", || lead_to_ticks(&spans(&shown())));
    drop(collector);
}

/// What a trace and a span in it are known by.
type Id = [String; 2];

/// A span as the collector shows it.
#[derive(Debug, Default)]
struct Span {
    id: Id,
    name: String,
    links: Vec<Id>,
}

/// The spans that are shown. The collector writes, for each,
///
/// ```text
/// Span #2
///     Trace ID       : 6e56195eae4e827e936be0b4017313ce
///     ID             : 9badb5beed864e6e
///     Name           : process number:counted
/// Links:
/// SpanLink #0
///      -> Trace ID: cf392179ad1e6262803d26046c5c38b8
///      -> ID: af2d44d4319c6a78
/// ```
fn spans(shown: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for line in shown.lines().map(str::trim) {
        if line.starts_with("Span #") {
            spans.push(Span::default());
            continue;
        }
        let (Some(span), Some((name, value))) = (spans.last_mut(), line.split_once(": ")) else { continue };
        let value = value.to_owned();
        match name.trim() {
            "Trace ID" => span.id[0] = value,
            "ID" => span.id[1] = value,
            "Name" => span.name = value,
            "-> Trace ID" => span.links.push([value, String::new()]),
            "-> ID" => span.links.last_mut().unwrap()[1] = value,
            _ => {}
        }
    }
    spans
}

/// Every call of the handler has one link, to a publish, each its own; and that has one, to the tick that published.
fn lead_to_ticks(spans: &[Span]) -> Result<(), String> {
    let by_id: BTreeMap<&Id, &Span> = spans.iter().map(|span| (&span.id, span)).collect();
    let linked = |span: &Span, name: &str| match &span.links[..] {
        [link] => by_id
            .get(link)
            .copied()
            .filter(|to| to.name == name)
            .ok_or_else(|| format!("{span:?} leads to no `{name}`")),
        links => Err(format!("{} links in {span:?}", links.len())),
    };
    let mut ticks = BTreeMap::new();
    for handled in spans.iter().filter(|span| span.name == "process number:counted") {
        let tick = linked(linked(handled, "publish number:counted")?, "tick counting.count")?;
        if let Some(other) = ticks.insert(&tick.id, handled) {
            return Err(format!("{other:?} and {handled:?} lead to the same tick"));
        }
    }
    if ticks.is_empty() { Err("no handler".to_owned()) } else { Ok(()) }
}
