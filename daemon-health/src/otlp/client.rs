//! The way to a collector: a connection for each batch, a limit for its time, and more tries where they may help.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use daemon_core::{BoxError, with_sources};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{StatusCode, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::OtlpError;

/// How long the longest answer is that is read.
const LONGEST: usize = 1024 * 1024;

/// How long it is waited before the second try; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Client {
    /// How long a batch may take, with all tries.
    limit: Duration,
    /// Whether one try has to do.
    hurries: AtomicBool,
    /// Why the last try came to nothing.
    fault: Mutex<Option<String>>,
}

/// Whether an address is one that can be sent to.
pub(super) fn check(endpoint: &str) -> Result<(), OtlpError> {
    let uri = endpoint.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("http") => Ok(()),
        Some("https") => Err(OtlpError::Tls { endpoint: endpoint.to_owned() }),
        _ => Err(OtlpError::Endpoint { endpoint: endpoint.to_owned() }),
    }
}

impl Client {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, hurries: AtomicBool::new(false), fault: Mutex::default() }
    }

    /// From here on one try has to do, or not.
    pub(super) fn hurry(&self, does: bool) {
        self.hurries.store(does, Ordering::Relaxed);
    }

    /// Why the last try came to nothing.
    pub(super) fn fault(&self) -> String {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    fn failed(&self, fault: String) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Tries until the collector has taken it or says that it never will.
    async fn deliver(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        let mut wait = FIRST_WAIT;
        loop {
            let tried = exchange(request.clone()).await;
            match &tried {
                Err(error) => self.failed(with_sources(&**error)),
                Ok(response) if !response.status().is_success() => self.failed(refusal(response)),
                Ok(_) => {}
            }
            let again = tried.as_ref().map_or(Some(wait), |response| again_after(response, wait));
            match again {
                Some(after) if !self.hurries.load(Ordering::Relaxed) => sleep(after).await,
                _ => return tried,
            }
            wait *= 2;
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        match timeout(self.limit, self.deliver(&request)).await {
            Ok(done) => done,
            Err(late) => {
                let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                fault.get_or_insert_with(|| format!("it does not answer within {:?}", self.limit));
                Err(late.into())
            }
        }
    }
}

/// Asks once.
async fn exchange(request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().ok_or("the address names no host")?.clone();
    let port = authority.port_u16().unwrap_or(80);
    parts.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    // To a server itself, only the path is said.
    parts.uri = parts.uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()));

    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (parts, body) = sender.send_request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    };
    tokio::pin!(exchange);
    // The connection is driven beside the exchange, so that both end together.
    tokio::select! {
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

/// When to try again, if that may help.
fn again_after(response: &Response<Bytes>, usual: Duration) -> Option<Duration> {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Some(asked.map_or(usual, Duration::from_secs))
        }
        _ => None,
    }
}

fn refusal(response: &Response<Bytes>) -> String {
    format!("it answers {}", response.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again_and_when_the_collector_says() {
        let again = |status: u16, after: Option<&str>| {
            let response = Response::builder().status(status);
            let response = after.into_iter().fold(response, |response, after| response.header(RETRY_AFTER, after));
            again_after(&response.body(Bytes::new()).unwrap(), Duration::from_millis(500))
        };
        assert_eq!(again(503, None), Some(Duration::from_millis(500)));
        assert_eq!(again(429, Some("3")), Some(Duration::from_secs(3)));
        assert_eq!(again(429, Some("Thu, 26 Nov 2026 00:00:00 GMT")), Some(Duration::from_millis(500)));
        assert_eq!([200, 400, 401, 404, 500].map(|status| again(status, Some("3"))), [None; 5]);
    }

    #[test]
    fn an_address_that_cannot_be_sent_to_is_told_with_what_to_do() {
        assert!(check("http://127.0.0.1:4318/v1/traces").is_ok() && check("http://[::1]:4318/v1/traces").is_ok());
        let told = |endpoint: &str| check(endpoint).unwrap_err().to_string();
        assert!(told("https://collector:4318/v1/traces").contains("TLS"));
        for none in ["collector:4318/v1/traces", "/v1/traces", "unix:///run/x/v1/traces", "http:///v1/traces"] {
            assert!(told(none).contains("http://127.0.0.1:4318"), "{none}");
        }
    }
}
