//! A collector that keeps what it is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How long anything may take here; nothing waits for it to pass.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
pub(crate) struct Collector {
    got: Arc<Mutex<Got>>,
    came: Arc<Notify>,
}

#[derive(Default)]
struct Got {
    requests: Vec<ExportTraceServiceRequest>,
    headers: Vec<HeaderMap>,
    /// What it answers before it takes anything, the last first.
    refusals: Vec<StatusCode>,
}

impl Collector {
    /// A collector, and where it listens. It first answers each of these.
    pub(crate) async fn start(refusals: &[StatusCode]) -> (Self, SocketAddr) {
        let collector = Self::default();
        collector.got.lock().unwrap().refusals = refusals.iter().rev().copied().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let got = self.got.lock().unwrap();
        let resources = got.requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans).cloned().collect()
    }

    /// What is told of the program.
    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        let got = self.got.lock().unwrap();
        let resource = got.requests.first()?.resource_spans.first()?.resource.clone()?;
        text(&resource.attributes, key)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        Some(self.got.lock().unwrap().headers.first()?.get(name)?.to_str().ok()?.to_owned())
    }

    /// Waits until so many spans have come.
    pub(crate) async fn until(&self, is: impl Fn(&[Span]) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is(&self.spans()) {
                self.came.notified().await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("only these came: {:#?}", self.spans()));
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> (StatusCode, Vec<u8>) {
    let mut got = collector.got.lock().unwrap();
    if let Some(refusal) = got.refusals.pop() {
        return (refusal, Vec::new());
    }
    got.requests.push(ExportTraceServiceRequest::decode(body).unwrap());
    got.headers.push(headers);
    collector.came.notify_one();
    (StatusCode::OK, Vec::new())
}

/// The attribute of that name, as text.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.clone()?.value? {
        any_value::Value::StringValue(text) => Some(text),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
