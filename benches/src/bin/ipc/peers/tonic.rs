//! tonic: gRPC over a Unix socket. What its generator would write is written by hand.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::server::{NamedService, UnaryService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, client, server};
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::contender::{Contender, InFlight, caller, callers};

/// As much as a large message takes, so that it need not be waited for.
const WINDOW: u32 = 4 * 1024 * 1024;

type Codec = ProstCodec<Message, Message>;

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(string, tag = "1")]
    data: String,
}

struct Echo;

impl UnaryService<Message> for Echo {
    type Response = Message;
    type Future = Ready<Result<Response<Message>, Status>>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

#[derive(Clone)]
struct Service;

impl NamedService for Service {
    const NAME: &'static str = "bench.Echo";
}

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async { Ok(server::Grpc::new(Codec::default()).unary(Echo, request).await) })
    }
}

#[derive(Clone)]
pub struct Grpc(client::Grpc<Channel>);

impl Contender for Grpc {
    async fn serve(place: PathBuf) {
        let listener = UnixListener::bind(place).expect("a place to listen at");
        benches::ready();
        let connections = UnixListenerStream::new(listener);
        let server = Server::builder()
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(4 * WINDOW)
            .add_service(Service);
        server.serve_with_incoming(connections).await.expect("it serves");
    }

    async fn connect(place: &Path, _: Option<usize>) -> Self {
        let place = place.to_owned();
        let endpoint = Endpoint::from_static("http://localhost")
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(4 * WINDOW);
        let connect = service_fn(move |_: http::Uri| {
            let place = place.clone();
            async move { UnixStream::connect(place).await.map(TokioIo::new) }
        });
        Self(client::Grpc::new(endpoint.connect_with_connector(connect).await.expect("a server")))
    }

    async fn call(&mut self, data: &str) -> usize {
        self.0.ready().await.expect("a connection");
        let request = Request::new(Message { data: data.to_owned() });
        let method = PathAndQuery::from_static("/bench.Echo/Echo");
        let answer = self.0.unary(request, method, Codec::default()).await.expect("an answer");
        answer.into_inner().data.len()
    }

    async fn in_flight(self, load: InFlight) -> Option<u64> {
        callers(load.count, || caller(self.clone(), load.clone())).await
    }
}
