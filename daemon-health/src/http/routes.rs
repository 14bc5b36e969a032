//! What is answered, path by path.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use daemon_core::{CheckKind, Context, HostHandle, Result};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::gate::{Gate, HEADERS, Refusal};
use super::live::{Feed, Viewer};
use super::page;
use super::probe::{Asked, Format};
use super::verdict::Verdicts;
use crate::formats::{HEALTH_JSON, health_json, microprofile};
use crate::metrics::{Metrics, accept::prefers};
use crate::{HealthError, HealthQuery, HealthReport};

/// How old a status may be that is given to the next who asks: what a flood of requests costs is bounded by this.
const FRESH: Duration = Duration::from_millis(100);

/// The media type of what is for programs.
const JSON: &str = "application/json";

/// What is said of a path that is none.
const PATHS: &str =
    "this is not here; what is: / /livez /readyz /startupz /health /health/{group} /metrics /status.json /events\n";

/// What all requests share.
pub(super) struct App {
    host: HostHandle,
    verdicts: Arc<Verdicts>,
    feed: Arc<Feed>,
    viewers: usize,
    figures: Metrics,
    closing: CancellationToken,
    /// The status as JSON.
    status: Fresh,
}

impl App {
    pub(super) fn new(host: HostHandle, settings: &Settings) -> Self {
        let verdicts = Arc::new(Verdicts::new(host.clone()));
        let health = Arc::clone(&verdicts);
        let figures = Metrics::of(host.clone()).health(move || health.last());
        let figures = settings.figures.iter().fold(figures, |figures, add| add(figures));
        Self {
            figures,
            verdicts,
            feed: Feed::new(settings.logs.clone()),
            viewers: settings.limits.viewers,
            closing: CancellationToken::new(),
            status: Fresh::default(),
            host,
        }
    }

    /// Cancelled when the endpoint stops.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// What all checks and the host come to.
    pub(super) async fn health(&self) -> Result<HealthReport> {
        Ok(self.verdicts.report(&HealthQuery::all()).await?)
    }

    /// Lets go of what it holds of the host, whoever holds this.
    pub(super) fn close(&self) {
        self.verdicts.close();
    }

    /// Keeps what is seen live up to date while somebody looks.
    pub(super) async fn look(&self, cx: &Context, every: Duration) -> Result<()> {
        self.feed.run(cx, &self.verdicts, every).await
    }
}

/// What was written last, for those who ask right after.
#[derive(Default)]
struct Fresh(Mutex<Option<(Instant, Bytes)>>);

impl Fresh {
    /// The last one, or a new one if that is old.
    fn or(&self, write: impl FnOnce() -> Vec<u8>) -> Bytes {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, bytes)) if at.elapsed() < FRESH => bytes.clone(),
            _ => {
                let bytes = Bytes::from(write());
                *last = Some((Instant::now(), bytes.clone()));
                bytes
            }
        }
    }
}

/// Everything behind one door.
pub(super) fn router(app: &Arc<App>, gate: Gate) -> Router {
    Router::new()
        .route("/", get(status_page))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/health", get(health))
        .route("/health/{group}", get(health_of))
        .route("/metrics", get(metrics_text))
        .route("/status.json", get(status))
        .route("/events", get(events))
        .fallback(|| async { (StatusCode::NOT_FOUND, PATHS) })
        .layer(from_fn_with_state(Arc::new(gate), guard))
        .with_state(Arc::clone(app))
}

/// Lets in who may come in, and says to browsers what every answer says.
async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = match gate.admits(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(refusal),
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

fn refused(refusal: Refusal) -> Response {
    let mut response = (refusal.status(), refusal.text()).into_response();
    if refusal == Refusal::Unauthorized {
        for scheme in ["Bearer", "Basic realm=\"status\", charset=\"UTF-8\""] {
            response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
    response
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}

async fn livez(app: State<Arc<App>>, query: RawQuery) -> Response {
    probe(app, query, CheckKind::Liveness).await
}

async fn readyz(app: State<Arc<App>>, query: RawQuery) -> Response {
    probe(app, query, CheckKind::Readiness).await
}

async fn startupz(app: State<Arc<App>>, query: RawQuery) -> Response {
    probe(app, query, CheckKind::Startup).await
}

async fn probe(State(app): State<Arc<App>>, RawQuery(query): RawQuery, kind: CheckKind) -> Response {
    told(&app, query.as_deref(), &HealthQuery::of(kind), Format::Text).await
}

async fn health(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    told(&app, query.as_deref(), &HealthQuery::default(), accepted(&headers)).await
}

async fn health_of(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    told(&app, query.as_deref(), &HealthQuery::default().in_group(group), accepted(&headers)).await
}

/// The format of health that the header `Accept` asks for.
fn accepted(headers: &HeaderMap) -> Format {
    if prefers(accept(headers), HEALTH_JSON, JSON) { Format::HealthJson } else { Format::Json }
}

/// The answers of checks, in the format that is asked for, or the usual one.
async fn told(app: &App, asked: Option<&str>, query: &HealthQuery, usual: Format) -> Response {
    let asked = match Asked::read(asked) {
        Ok(asked) => asked,
        Err(fault) => return (StatusCode::BAD_REQUEST, fault).into_response(),
    };
    let report = match app.verdicts.report(query).await {
        Ok(report) => report,
        Err(error) => return unknown(&error),
    };
    let (report, notes) = asked.without_excluded(report);
    let passes = verdict(report.is_passing());
    let (kind, body) = match asked.format().unwrap_or(usual) {
        Format::Text => return (passes, asked.text(&report, &notes)).into_response(),
        Format::Json => (JSON, json(&report)),
        Format::HealthJson => (HEALTH_JSON, json(&health_json(&report))),
        Format::MicroProfile => (JSON, json(&microprofile(&report))),
    };
    (passes, typed(kind, body)).into_response()
}

fn verdict(passes: bool) -> StatusCode {
    if passes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// There is no such group, or what there is cannot be asked.
fn unknown(error: &HealthError) -> Response {
    let status = match error {
        HealthError::UnknownGroup { .. } => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, format!("{error}\n")).into_response()
}

fn accept(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok())
}

async fn metrics_text(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let shown = app.figures.render(accept(&headers));
    typed(shown.content_type, shown.text)
}

async fn status(State(app): State<Arc<App>>) -> Response {
    typed(JSON, app.status.or(|| json(&app.host.status())))
}

/// As JSON. What is told here is plain data with text as keys, which can always be written.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

async fn status_page() -> Response {
    let (policy, page) = page::fresh();
    let mut response = axum::response::Html(page).into_response();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn events(State(app): State<Arc<App>>) -> Response {
    let Some(look) = app.feed.look(app.viewers) else {
        let later = [(header::RETRY_AFTER, HeaderValue::from_static("30"))];
        return (StatusCode::SERVICE_UNAVAILABLE, later, "as many look already as may\n").into_response();
    };
    let viewer = Viewer::new(&app.feed, look, app.closing.clone());
    typed("text/event-stream", Body::from_stream(viewer.stream()))
}
