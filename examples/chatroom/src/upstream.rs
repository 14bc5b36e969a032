//! One request to the upstream server over HTTP/1.1. The caller brings the time limit: dropping the future closes the
//! connection.

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::TcpStream;

/// Bytes of the largest answer that is forwarded.
const LARGEST_BODY: usize = 1024 * 1024;

/// What the upstream answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum UpstreamError {
    #[error("`{0}` is not the address of an upstream; write it as http://host:port")]
    Address(Uri),
    #[error("`{0}` is not a path; begin it with /")]
    Path(String),
    #[error("the upstream {0} cannot be reached")]
    Unreachable(String, #[source] std::io::Error),
    #[error("the upstream {0} broke the connection off")]
    Broken(String, #[source] hyper::Error),
    #[error("the upstream's answer is longer than {LARGEST_BODY} bytes, or was broken off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Asks the upstream for `path`.
pub(crate) async fn get(upstream: &Uri, path: &str) -> Result<Answer, UpstreamError> {
    let host = match (upstream.scheme_str(), upstream.host()) {
        (Some("http"), Some(host)) => host,
        _ => return Err(UpstreamError::Address(upstream.clone())),
    };
    let address = format!("{host}:{}", upstream.port_u16().unwrap_or(80));
    if !path.starts_with('/') {
        return Err(UpstreamError::Path(path.to_owned()));
    }
    let request = Request::get(path).header(HOST, &address).body(Empty::<Bytes>::new());
    let request = request.map_err(|_| UpstreamError::Path(path.to_owned()))?;

    let unreachable = |error| UpstreamError::Unreachable(address.clone(), error);
    let broken = |error| UpstreamError::Broken(address.clone(), error);
    let stream = TcpStream::connect(&address).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LARGEST_BODY).collect().await.map_err(UpstreamError::Body)?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
    };
    // The connection is driven beside the exchange rather than on a task of its own, so that both end together. Its own
    // error also reaches the exchange, which says more.
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that answers one request with `answer` and hands the request back.
    async fn serve(answer: &'static str) -> (Uri, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        (uri, server)
    }

    #[tokio::test]
    async fn an_answer_is_forwarded_whether_sized_chunked_or_until_the_end() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            let (uri, server) = serve(answer).await;
            let got = get(&uri, "/rooms?all").await.unwrap();
            assert_eq!(got, Answer { status: 200, body: "hello".into() });
            let request = server.await.unwrap();
            assert!(request.starts_with("GET /rooms?all HTTP/1.1\r\nhost: 127.0.0.1:"), "{request}");
        }
    }

    #[tokio::test]
    async fn faults_say_whose_they_are() {
        let bad = "ftp://host".parse().unwrap();
        assert!(matches!(get(&bad, "/").await, Err(UpstreamError::Address(_))));
        let (uri, _server) = serve("nonsense\r\n\r\n").await;
        assert!(matches!(get(&uri, "no slash").await, Err(UpstreamError::Path(_))));
        assert!(matches!(get(&uri, "/").await, Err(UpstreamError::Broken(..))));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let closed = format!("http://{closed}").parse().unwrap();
        assert!(matches!(get(&closed, "/").await, Err(UpstreamError::Unreachable(..))));
    }
}
