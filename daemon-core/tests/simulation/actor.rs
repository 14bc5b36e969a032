//! Does what the plan says for one daemon, and writes down what happens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use daemon_core::{BoxFuture, Call, Configuration, Context, Error, PublishError, Result};

use crate::ghosts;
use crate::node::{Flood, Kept, NAMES};
use crate::plan::{Deed, Node, SPAWNED};
use crate::stage::{Settings, Stage, UNKNOWN};
use crate::trace::{End, Moment, Turn};

pub(crate) const PLAYED: &str = "a panic of the play";
/// The name of what cleanup spawns.
pub(crate) const OF_CLEANUP: &str = "spawned by cleanup";
/// The name of the work of each life that ends well as soon as it is cancelled.
pub(crate) const HEEDS: &str = "heeds";
/// The name of what receives until there is nothing more to come.
pub(crate) const PULLS: &str = "pulls";
pub(crate) const HANDLERS: [&str; 4] = ["first", "second", "other", "all"];

/// The code of one daemon, through all its lives.
pub(crate) struct Actor {
    pub(crate) at: usize,
    pub(crate) stage: Arc<Stage>,
    life: AtomicU32,
    calls: [AtomicUsize; 17],
}

/// A turn in a reload, which writes down its end however that comes.
struct Taking<'a> {
    actor: &'a Arc<Actor>,
    life: u32,
    turn: Turn,
    cx: &'a Context,
    end: End,
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        let end = if std::thread::panicking() { End::Panic } else { self.end };
        if let Turn::Take { has, next } = self.turn {
            let now = match end {
                End::Well => next,
                End::Error => has,
                End::Panic | End::Cut => UNKNOWN,
            };
            self.actor.stage.configured[self.actor.at].store(now, Ordering::Relaxed);
        }
        let stops = self.cx.is_cancelled();
        self.actor.moment(self.life, Moment::Answered { turn: self.turn, end, stops });
    }
}

/// A piece of work under way, which writes down its end however that comes.
struct Under<'a> {
    actor: &'a Arc<Actor>,
    life: u32,
    what: &'static str,
    end: End,
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        let end = if std::thread::panicking() { End::Panic } else { self.end };
        if let Some(handler) = HANDLERS.iter().position(|name| *name == self.what) {
            self.actor.stage.ended(self.actor.at, handler, end);
        }
        self.actor.moment(self.life, Moment::WorkGone(self.what, end));
    }
}

/// What a daemon has registered to be ended with its life.
pub(crate) struct Guard(Arc<Actor>, u32);

impl Guard {
    pub(crate) fn new(actor: &Arc<Actor>) -> Self {
        actor.moment(actor.life(), Moment::Guard);
        Self(actor.clone(), actor.life())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.moment(self.1, Moment::GuardGone);
    }
}

/// What a factory makes for one life.
pub(crate) struct Value(Arc<Actor>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.moment(self.0.life(), Moment::ValueGone);
    }
}

/// A publisher that waits.
struct Publishing<'a>(&'a AtomicUsize);

impl<'a> Publishing<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Spawns more work when it is dropped.
pub(crate) struct Heir(pub(crate) Arc<Actor>, pub(crate) Context);

impl Drop for Heir {
    fn drop(&mut self) {
        self.0.spawn("heir", Deed::Hang, &self.1);
    }
}

impl Actor {
    pub(crate) fn new(at: usize, stage: Arc<Stage>) -> Arc<Self> {
        Arc::new(Self { at, stage, life: AtomicU32::new(0), calls: Default::default() })
    }

    pub(crate) fn plan(&self) -> &Node {
        &self.stage.plan.nodes[self.at]
    }

    /// The number of its latest life.
    pub(crate) fn life(&self) -> u32 {
        self.life.load(Ordering::Relaxed)
    }

    pub(crate) fn moment(&self, life: u32, moment: Moment) {
        self.stage.moment(self.at, life, moment);
    }

    /// The next of some deeds.
    pub(crate) fn deed(&self, which: usize, deeds: &[Deed]) -> Deed {
        deeds[self.calls[which].fetch_add(1, Ordering::Relaxed) % deeds.len()]
    }

    /// What its factory does.
    pub(crate) async fn make(self: &Arc<Self>) -> Result<Value> {
        self.moment(self.life(), Moment::Makes);
        match self.deed(13, self.plan().made.as_deref().unwrap()) {
            Deed::Error => return Err("an error of the play".into()),
            Deed::Panic => std::panic::panic_any(PLAYED),
            Deed::Slow(time) => tokio::time::sleep(time).await,
            Deed::Hang => std::future::pending().await,
            Deed::Block(time) => self.block("make", time),
            _ => {}
        }
        self.moment(self.life(), Moment::Made);
        Ok(Value(self.clone()))
    }

    pub(crate) async fn initialize(self: &Arc<Self>, cx: &Context) -> Result<()> {
        drop(self.stage.host.set(cx.host())); // the first of all starts does it
        let life = self.life.fetch_add(1, Ordering::Relaxed) + 1;
        self.moment(life, Moment::Initialize);
        ghosts::keep(&self.stage, self.at, cx);
        self.spawn(HEEDS, Deed::Heed, cx);
        let has = cx.configuration().get::<Settings>()?.0;
        self.stage.configured[self.at].store(has, Ordering::Relaxed);
        self.moment(life, Moment::Configured(has));
        self.act("initialize", self.deed(0, &self.plan().initialize), cx).await?;
        self.moment(life, Moment::Initialized);
        Ok(())
    }

    pub(crate) async fn cleanup(self: &Arc<Self>, cx: &Context) -> Result<()> {
        struct Gone<'a>(&'a Actor, u32);
        impl Drop for Gone<'_> {
            fn drop(&mut self) {
                self.0.moment(self.1, Moment::CleanupGone);
            }
        }
        let life = self.life.load(Ordering::Relaxed);
        self.moment(life, Moment::Cleanup);
        let _gone = Gone(self, life);
        self.act("cleanup", self.deed(1, &self.plan().cleanup), cx).await
    }

    pub(crate) async fn check_reload(self: &Arc<Self>, next: &Configuration, cx: &Context) -> Result<()> {
        let turn = Turn::Check(next.get::<Settings>()?.0);
        self.turn(turn, "check_reload", self.deed(11, &self.plan().check_reload), cx).await
    }

    pub(crate) async fn reload(self: &Arc<Self>, next: &Configuration, cx: &Context) -> Result<()> {
        let (has, next) = (cx.configuration().get::<Settings>()?.0, next.get::<Settings>()?.0);
        self.turn(Turn::Take { has, next }, "reload", self.deed(12, &self.plan().reload), cx).await
    }

    async fn turn(self: &Arc<Self>, turn: Turn, what: &'static str, deed: Deed, cx: &Context) -> Result<()> {
        let life = self.life.load(Ordering::Relaxed);
        self.moment(life, Moment::Asked(turn));
        let mut taking = Taking { actor: self, life, turn, cx, end: End::Cut };
        let done = self.work(what, deed, cx).await;
        taking.end = if done.is_ok() { End::Well } else { End::Error };
        done
    }

    /// Does a piece of work.
    pub(crate) fn work<'a>(
        self: &'a Arc<Self>,
        what: &'static str,
        deed: Deed,
        cx: &'a Context,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let life = self.life.load(Ordering::Relaxed);
            self.moment(life, Moment::Work(what));
            let mut under = Under { actor: self, life, what, end: End::Cut };
            let done = self.act(what, deed, cx).await;
            under.end = if done.is_ok() { End::Well } else { End::Error };
            done
        })
    }

    /// Does work that ends well.
    pub(crate) async fn while_under_way(self: &Arc<Self>, what: &'static str, work: impl Future<Output = ()>) {
        let life = self.life();
        self.moment(life, Moment::Work(what));
        let mut under = Under { actor: self, life, what, end: End::Cut };
        work.await;
        under.end = End::Well;
    }

    async fn act(self: &Arc<Self>, what: &'static str, deed: Deed, cx: &Context) -> Result<()> {
        match deed {
            Deed::Well => {}
            Deed::Error => return Err("an error of the play".into()),
            Deed::Panic => std::panic::panic_any(PLAYED),
            Deed::Slow(time) => tokio::time::sleep(time).await,
            Deed::Hang => std::future::pending().await,
            Deed::Block(time) => self.block(what, time),
            Deed::Heed => cx.cancelled().await,
            Deed::Shutdown => {
                self.stage.ends.store(true, Ordering::Relaxed);
                cx.request_shutdown();
            }
            _ if !self.stage.stirs() => {}
            Deed::Publish(topic) => return self.publish(topic, cx).await,
            Deed::PublishWithin(topic, time) => {
                return tokio::time::timeout(time, self.publish(topic, cx)).await.unwrap_or(Ok(()));
            }
            Deed::PublishHandled(topic, time) => {
                return tokio::time::timeout(time, self.publish_handled(topic, cx)).await.unwrap_or(Ok(()));
            }
            Deed::Keep => drop(cx.try_publish(Kept)),
            Deed::Storm(topic, times) => (0..times).try_for_each(|_| self.offer(topic, cx))?,
            // What cleanup spawns may run beside it, and is aborted after it.
            Deed::Spawn(which) if what == "cleanup" => self.spawn(OF_CLEANUP, SPAWNED[which], cx),
            Deed::Spawn(which) => self.spawn("spawned", SPAWNED[which], cx),
            Deed::Await(which) => {
                let (actor, cx2) = (self.clone(), cx.clone());
                let what = if what == "cleanup" { OF_CLEANUP } else { "spawned" };
                let work = async move { actor.work(what, SPAWNED[which], &cx2).await };
                if let Ok(ended) = cx.spawn(what, work) {
                    drop(ended.await);
                }
            }
            Deed::Register(registration) => {
                let refused = self.register(registration, cx).await;
                // Whoever is held up by a thread that blocks may come too late for the life it is of.
                let over = what == "cleanup";
                if refused.is_some_and(|refused| refused != over && !(refused && self.stage.plan.blocks)) {
                    self.stage.fault(format!("G3: {registration:?} in {what} of n{} was refused: {}", self.at, !over));
                }
            }
            Deed::Call(on) => drop(cx.call::<(), u64>(NAMES[on], "ask", &()).await),
            Deed::Checks => drop(cx.host().run_checks().await),
            // From inside a reload it is refused at once, unless the host stops.
            Deed::Reload if what.ends_with("reload") => match cx.host().reload().await {
                Err(Error::Reloading | Error::Stopping { .. }) => {}
                other => self.stage.fault(format!("reload: one from inside another comes to {other:?}")),
            },
            Deed::Reload if self.stage.reloads() => self.stage.reload(cx.host()).await,
            Deed::Reload => {}
        }
        Ok(())
    }

    fn block(&self, what: &'static str, time: Duration) {
        let life = self.life.load(Ordering::Relaxed);
        self.moment(life, Moment::Blocks(what));
        std::thread::sleep(time);
        self.moment(life, Moment::Blocked(what));
    }

    /// One of three keys.
    fn key(&self) -> u8 {
        u8::try_from(self.calls[10].fetch_add(1, Ordering::Relaxed) % 3).unwrap()
    }

    async fn publish(&self, topic: usize, cx: &Context) -> Result<()> {
        self.stage.offers[topic].fetch_add(1, Ordering::Relaxed);
        let _publishing = Publishing::begin(&self.stage.publishing[topic]);
        let published = match topic {
            0 => cx.publish(Flood::<0>(self.key())).await,
            _ => cx.publish(Flood::<1>(self.key())).await,
        };
        self.published(topic, published)
    }

    async fn publish_handled(&self, topic: usize, cx: &Context) -> Result<()> {
        self.stage.offers[topic].fetch_add(1, Ordering::Relaxed);
        let published = match topic {
            0 => cx.publish_and_wait(Flood::<0>(self.key())).await,
            _ => cx.publish_and_wait(Flood::<1>(self.key())).await,
        };
        match published {
            Err(error) if error.is_unhandled() => Ok(()),
            other => self.published(topic, other.map(drop)),
        }
    }

    fn offer(&self, topic: usize, cx: &Context) -> Result<()> {
        self.stage.offers[topic].fetch_add(1, Ordering::Relaxed);
        let published = match topic {
            0 => cx.try_publish(Flood::<0>(self.key())),
            _ => cx.try_publish(Flood::<1>(self.key())),
        };
        self.published(topic, published)
    }

    fn published(&self, topic: usize, published: Result<(), PublishError>) -> Result<()> {
        match published {
            Err(error) if error.is_stopping() => {
                self.stage.offers[topic].fetch_sub(1, Ordering::Relaxed); // nobody got it
            }
            Err(error) if !error.is_full() => return Err(error.into()),
            _ => {}
        }
        Ok(())
    }

    fn spawn(self: &Arc<Self>, what: &'static str, deed: Deed, cx: &Context) {
        let (actor, cx2) = (self.clone(), cx.clone());
        // refused once the life is over
        drop(cx.spawn(what, async move { drop(actor.work(what, deed, &cx2).await) }));
    }

    /// A call that does well, bound to this daemon.
    pub(crate) fn bound(
        self: &Arc<Self>,
        what: &'static str,
        cx: &Context,
    ) -> impl Fn() -> BoxFuture<'static, Result<()>> + Send + Sync + use<> {
        let (actor, cx) = (self.clone(), cx.clone());
        move || {
            let (actor, cx) = (actor.clone(), cx.clone());
            Box::pin(async move { actor.work(what, Deed::Slow(Duration::from_millis(3)), &cx).await })
        }
    }
}
