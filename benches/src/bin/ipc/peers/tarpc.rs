//! tarpc over a Unix socket, in two formats.

use std::future::ready;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use tarpc::context::{self, Context};
use tarpc::serde_transport::unix;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats;

use crate::contender::{Contender, InFlight, caller, callers};

#[tarpc::service]
pub trait Service {
    async fn echo(data: String) -> String;
}

#[derive(Clone)]
struct Server;

impl Service for Server {
    async fn echo(self, _: Context, data: String) -> String {
        data
    }
}

macro_rules! contender {
    ($name:ident $format:ident) => {
        #[derive(Clone)]
        pub struct $name(ServiceClient);

        impl Contender for $name {
            async fn serve(place: PathBuf) {
                let listener = unix::listen(place, formats::$format::default).await.expect("a place to listen at");
                benches::ready();
                let connections = listener.filter_map(|accepted| ready(accepted.ok()));
                let serve = |transport| async {
                    let requests = BaseChannel::with_defaults(transport).execute(Server.serve());
                    tokio::spawn(requests.for_each(|request| async { drop(tokio::spawn(request)) }));
                };
                connections.for_each(serve).await;
            }

            async fn connect(place: &Path, _: Option<usize>) -> Self {
                let transport = unix::connect(place, formats::$format::default).await.expect("a server");
                Self(ServiceClient::new(tarpc::client::Config::default(), transport).spawn())
            }

            async fn call(&mut self, data: &str) -> usize {
                self.0.echo(context::current(), data.to_owned()).await.expect("an answer").len()
            }

            async fn in_flight(self, load: InFlight) -> Option<u64> {
                callers(load.count, || caller(self.clone(), load.clone())).await
            }
        }
    };
}

contender!(Bincode Bincode);
contender!(Json Json);
