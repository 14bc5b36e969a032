//! What follows from what.

use axum::http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as Ended;
use tracing::Instrument;

use super::collector::{Collector, text};
use super::*;

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The only span of that name.
fn one<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let [one] = named(spans, name)[..] else { panic!("{name} in {spans:#?}") };
    one
}

#[track_caller]
fn assert_links(from: &Span, to: &Span) {
    let links: Vec<_> = from.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
    assert_eq!(links, [(&to.trace_id, &to.span_id)], "{} has no link to {}", from.name, to.name);
}

#[tokio::test]
async fn handlers_are_linked_to_publishers_all_the_way_back_to_a_request() {
    let (collector, at) = Collector::start(&[]).await;
    let spans = Spans::to("mills", &format!("http://{at}/")).unwrap();
    let (host, _guard) = start(&spans).await;
    let handle = host.handle();
    handle.publish_and_wait(Grain(1)).instrument(tracing::info_span!("request")).await.unwrap();
    handle.add_daemon(Baker).await.unwrap();
    while handle.status().daemon("baker").unwrap().subscriptions[0].handled == 0 {
        tokio::task::yield_now().await;
    }
    assert!(host.shutdown().await.unwrap().is_clean());

    let spans = collector.spans();
    let published = named(&spans, "publish mill:grain");
    assert_links(published[0], one(&spans, "request"));
    let ground = one(&spans, "process mill:grain");
    assert_links(ground, published[0]);
    let flour = one(&spans, "publish mill:flour");
    assert_links(flour, ground);
    assert_links(one(&spans, "receive mill:flour"), flour);
    let kept = one(&spans, "retain mill:flour");
    assert_links(kept, flour);
    assert_links(one(&spans, "process mill:flour"), kept);

    let kinds = [published[0], ground, kept].map(|span| span.kind());
    assert_eq!(kinds, [SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal]);
    assert_eq!(text(&ground.attributes, "messaging.destination.name").as_deref(), Some("mill:grain"));
    assert_eq!(ground.events[0].name, "it turns", "what is logged in a span comes with it");
    assert!(!named(&spans, "tick mill.turn").is_empty());
    let parents: Vec<_> = spans.iter().filter(|span| !span.parent_span_id.is_empty()).collect();
    assert!(parents.is_empty(), "one trace for each: {parents:#?}");
    assert_eq!(collector.resource("service.name").as_deref(), Some("mills"));
    assert_eq!(collector.resource("process.pid"), Some(std::process::id().to_string()));
    assert_eq!(collector.header("content-type").as_deref(), Some("application/x-protobuf"));
}

#[tokio::test]
async fn an_error_is_one_there_too_and_a_collector_that_is_busy_is_asked_again() {
    let (collector, at) = Collector::start(&[StatusCode::SERVICE_UNAVAILABLE]).await;
    let spans = Spans::to("mills", &format!("http://{at}")).unwrap().filter("info,daemon_core::ticks=off").unwrap();
    let (host, _guard) = start(&spans).await;
    // more than one batch, which is sent at once
    for _ in 0..300 {
        host.handle().publish_and_wait(Grain(0)).await.unwrap_err();
    }
    collector.until(|spans| spans.len() == 512).await;
    let spans = collector.spans();
    let failed = named(&spans, "process mill:grain")[0];
    assert_eq!(failed.status.as_ref().unwrap().code(), Ended::Error);
    assert_eq!(text(&failed.attributes, "error.type").as_deref(), Some("error"));
    assert!(named(&spans, "tick mill.turn").is_empty(), "the filter says so");
    host.shutdown().await.unwrap();
    assert_eq!(collector.spans().len(), 600, "the rest comes with the end");
}
