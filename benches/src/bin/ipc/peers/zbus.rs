//! zbus: D-Bus without a bus, over a Unix socket.

use std::future::pending;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;
use zbus::{Guid, interface, proxy};

use crate::contender::{Contender, InFlight, caller, callers, serve_each};

const OBJECT: &str = "/org/bench/Echo";

struct Service;

#[interface(name = "org.bench.Echo")]
impl Service {
    async fn echo(&self, data: String) -> String {
        data
    }
}

#[proxy(interface = "org.bench.Echo", default_path = "/org/bench/Echo")]
trait Echo {
    async fn echo(&self, data: &str) -> zbus::Result<String>;
}

async fn serve(stream: UnixStream) -> zbus::Result<()> {
    let builder = Builder::unix_stream(stream.into_std()?).server(Guid::generate()).p2p();
    let _connection = builder.serve_at(OBJECT, Service).build().await?;
    pending().await
}

#[derive(Clone)]
pub struct Bus(EchoProxy<'static>);

impl Contender for Bus {
    async fn serve(place: PathBuf) {
        serve_each(place, serve).await;
    }

    async fn connect(place: &Path, _: Option<usize>) -> Self {
        let stream = UnixStream::connect(place).await.and_then(UnixStream::into_std).expect("a server");
        let connection = Builder::unix_stream(stream).p2p().build().await.expect("a server");
        let builder =
            EchoProxy::builder(&connection).destination("org.bench.Echo").cache_properties(CacheProperties::No);
        Self(builder.build().await.expect("a proxy"))
    }

    async fn call(&mut self, data: &str) -> usize {
        self.0.echo(data).await.expect("an answer").len()
    }

    async fn in_flight(self, load: InFlight) -> Option<u64> {
        callers(load.count, || caller(self.clone(), load.clone())).await
    }
}
