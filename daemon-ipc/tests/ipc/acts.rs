//! A handler that does what the request says, and tells what becomes of it.

use daemon_ipc::{Failure, Handler, Items, Json, Limits, Memory, Reply, Request, Server, ServerHandle, async_trait};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What a request asks the handler to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub(crate) enum Act {
    /// Answers the value.
    Echo {
        value: Option<Json>,
    },
    /// Answers so many milliseconds later.
    After {
        ms: u64,
    },
    /// Never answers, and goes on when it is given up.
    Never,
    /// Never answers, but ends when it is given up.
    UntilCancelled,
    /// Answers once [`Acts::release`] says so.
    UntilReleased,
    Panic,
    PanicLater,
    PanicWhenDropped,
    Fail {
        message: String,
        code: Option<String>,
    },
    /// Answers what is no JSON.
    BadReply,
    /// Answers a text of so many bytes.
    Big {
        bytes: usize,
    },
    /// Answers with the numbers up to this.
    Count {
        to: u32,
    },
    /// Answers with two items and then fails.
    CountAndFail,
    /// Tells this peer of an event so many times, and answers how many were taken.
    Push {
        topic: String,
        times: u32,
    },
    /// Answers who asks.
    Who,
    /// Answers how many milliseconds it may take.
    TimeLimit,
}

#[derive(Deserialize)]
struct Echo {
    act: String,
    value: Option<Json>,
}

/// What became of a request, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Began(String),
    Cancelled,
    Dropped,
    Sent(u32),
}

pub(crate) struct Acts {
    told: mpsc::UnboundedSender<Told>,
    release: watch::Receiver<u32>,
    begun: Arc<Mutex<u32>>,
}

/// A server of [`Acts`] in memory, and the way to it.
pub(crate) struct Stage {
    pub(crate) place: Memory,
    pub(crate) server: ServerHandle,
    pub(crate) running: JoinHandle<()>,
    pub(crate) told: mpsc::UnboundedReceiver<Told>,
    release: watch::Sender<u32>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let (handler, told, release) = Acts::new();
        let place = Memory::new();
        let server = Server::builder(handler)
            .limits(limits)
            .commands([("acts".to_owned(), "s1".to_owned())].into())
            .listen(&place)
            .unwrap();
        Self { place, server: server.handle(), running: tokio::spawn(server.run()), told, release }
    }

    /// Lets the first so many that wait for it go on.
    pub(crate) fn release(&self, count: u32) {
        self.release.send_replace(count);
    }

    /// What was told by now.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }

    /// Waits until this is told.
    pub(crate) async fn wait_for(&mut self, wanted: &Told) {
        while self.told.recv().await.expect("the handler lives") != *wanted {}
    }
}

impl Acts {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Told>, watch::Sender<u32>) {
        let (told, receiver) = mpsc::unbounded_channel();
        let (sender, release) = watch::channel(0);
        (Self { told, release, begun: Arc::default() }, receiver, sender)
    }

    fn tell(&self, told: Told) {
        // A test that does not listen does not care.
        self.told.send(told).ok();
    }

    async fn count(&self, mut items: Items, to: u32) -> Result<Reply, Failure> {
        for number in 1..=to {
            items.send(&number).await?;
            self.tell(Told::Sent(number));
        }
        Ok(Reply::empty())
    }
}

/// Tells when it is dropped.
struct Guard<'a>(&'a Acts);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.tell(Told::Dropped);
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

struct NoJson;

impl Serialize for NoJson {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no JSON at all"))
    }
}

#[async_trait]
impl Handler for Acts {
    async fn handle(&self, mut request: Request) -> Result<Reply, Failure> {
        // serde reads the content of a tagged enum twice, and cannot do that with JSON as it came.
        let echo: Echo = request.read()?;
        if echo.act == "echo" {
            return Ok(echo.value.into());
        }
        match request.read()? {
            Act::Echo { value } => Ok(value.into()),
            Act::After { ms } => {
                self.tell(Told::Began(format!("after {ms}")));
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Reply::of(&ms)
            }
            Act::Never => {
                let _guard = Guard(self);
                self.tell(Told::Began("never".to_owned()));
                request.cancelled().await;
                assert!(request.is_cancelled());
                self.tell(Told::Cancelled);
                std::future::pending().await
            }
            Act::UntilCancelled => {
                self.tell(Told::Began("until cancelled".to_owned()));
                request.cancelled().await;
                self.tell(Told::Cancelled);
                Ok(Reply::empty())
            }
            Act::UntilReleased => {
                let turn = {
                    let mut begun = self.begun.lock().unwrap();
                    *begun += 1;
                    *begun
                };
                self.tell(Told::Began(format!("released {turn}")));
                self.release.clone().wait_for(|released| *released >= turn).await.map_err(|_| Failure::new("over"))?;
                Reply::of(&turn)
            }
            Act::Panic => panic!("at once"),
            Act::PanicLater => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                panic!("later")
            }
            Act::PanicWhenDropped => {
                let _bomb = Bomb;
                std::future::pending().await
            }
            Act::Fail { message, code } => {
                let failure = Failure::new(message);
                Err(if let Some(code) = code { failure.with_code(code).with_tag("TestError") } else { failure })
            }
            Act::BadReply => Reply::of(&NoJson),
            Act::Big { bytes } => Reply::of(&"x".repeat(bytes)),
            Act::Count { to } => {
                let items = request.items()?;
                self.count(items, to).await
            }
            Act::CountAndFail => {
                let mut items = request.items()?;
                items.send(&1).await?;
                items.send(&2).await?;
                Err(Failure::new("no more").with_code("tired"))
            }
            Act::Push { topic, times } => {
                let pusher = request.pusher();
                let taken = (0..times).filter(|turn| pusher.push(&topic, turn).is_ok()).count();
                Reply::of(&taken)
            }
            Act::Who => {
                let peer = request.peer();
                Reply::of(&(peer.user, peer.group, peer.process))
            }
            Act::TimeLimit => Reply::of(&request.time_limit().map(|limit| limit.as_millis())),
        }
    }
}
