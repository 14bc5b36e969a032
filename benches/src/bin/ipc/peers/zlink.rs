//! zlink: Varlink over a Unix socket.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use zlink::tokio::unix;
use zlink::{ReplyError, Server, introspect, proxy, service};

use crate::contender::{Contender, InFlight};

#[derive(Debug, Serialize, Deserialize, introspect::Type)]
pub struct Answer {
    data: String,
}

#[derive(Debug, PartialEq, ReplyError, introspect::ReplyError)]
#[zlink(interface = "org.bench.Echo")]
pub enum Fault {
    Never,
}

struct Service;

#[service(interface = "org.bench.Echo")]
impl Service {
    async fn echo(&mut self, data: String) -> Answer {
        Answer { data }
    }
}

#[proxy("org.bench.Echo")]
trait Proxy {
    async fn echo(&mut self, data: &str) -> zlink::Result<Result<Answer, Fault>>;
}

pub struct Varlink(unix::Connection);

impl Contender for Varlink {
    async fn serve(place: PathBuf) {
        let listener = unix::bind(place).expect("a place to listen at");
        benches::ready();
        Server::new(listener, Service).run().await.expect("it serves");
    }

    async fn connect(place: &Path, _: Option<usize>) -> Self {
        Self(unix::connect(place).await.expect("a server"))
    }

    async fn call(&mut self, data: &str) -> usize {
        self.0.echo(data).await.expect("an answer").expect("what was agreed on").data.len()
    }

    /// Varlink answers in order: as many calls as may be are sent together, and all answered before more are.
    async fn in_flight(mut self, load: InFlight) -> Option<u64> {
        let mut answered = 0;
        while Instant::now() < load.until {
            let mut chain = self.0.chain_echo(&load.data).expect("a chain");
            for _ in 1..load.count {
                chain = chain.echo(&load.data).expect("a chain");
            }
            let mut answers = pin!(chain.send::<Answer, Fault>().await.expect("a server"));
            while let Some(answer) = answers.next().await {
                let (answer, _) = answer.expect("an answer");
                let answer = answer.expect("what was agreed on").into_parameters().expect("parameters");
                assert_eq!(answer.data.len(), load.data.len());
                answered += 1;
            }
        }
        Some(answered)
    }
}
