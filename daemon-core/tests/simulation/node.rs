//! A daemon that does what its plan says, and writes down what happens to it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Dependency, Event, EventHandler, Host, Interval, Result,
    Task, Wired, place,
};

use crate::plan::{Deed, Plan};
use crate::trace::{Moment, Trace};

pub(crate) const NAMES: [&str; 8] = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"];
pub(crate) const PLAYED: &str = "a panic of the play";

/// What daemons publish to each other.
pub(crate) struct Flood;
impl Event for Flood {
    const TOPIC: &'static str = "flood:drop";
}

/// How many events daemons publish in one run: handlers that publish what they handle would go on for ever.
const STORM: usize = 500;
static PUBLISHED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STAGE: RefCell<Option<(Arc<Plan>, Arc<Trace>)>> = const { RefCell::new(None) };
}

pub(crate) fn set_stage(plan: Arc<Plan>, trace: Arc<Trace>) {
    PUBLISHED.store(0, Ordering::Relaxed);
    STAGE.set(Some((plan, trace)));
}

fn stage() -> (Arc<Plan>, Arc<Trace>) {
    STAGE.with_borrow(|stage| stage.clone().unwrap())
}

pub(crate) struct Node<const N: usize> {
    plan: Arc<Plan>,
    trace: Arc<Trace>,
    life: AtomicU32,
    calls: [AtomicUsize; 5],
}

/// Writes down the end of a piece of work, however it ends.
struct Gone<'a, const N: usize>(&'a Node<N>, u32, Moment);

impl<const N: usize> Drop for Gone<'_, N> {
    fn drop(&mut self) {
        self.0.trace.moment(N, self.1, self.2);
    }
}

impl<const N: usize> Node<N> {
    fn deed(&self, which: usize, deeds: &[Deed]) -> Deed {
        deeds[self.calls[which].fetch_add(1, Ordering::Relaxed) % deeds.len()]
    }

    async fn work(&self, what: &'static str, deed: Deed, cx: &Context) -> Result<()> {
        let life = self.life.load(Ordering::Relaxed);
        self.trace.moment(N, life, Moment::Work(what));
        let _gone = Gone(self, life, Moment::WorkGone(what));
        act(deed, cx).await
    }
}

async fn act(deed: Deed, cx: &Context) -> Result<()> {
    match deed {
        Deed::Well => {}
        Deed::Error => return Err("an error of the play".into()),
        Deed::Panic => std::panic::panic_any(PLAYED),
        Deed::Slow(time) => tokio::time::sleep(time).await,
        Deed::Hang => std::future::pending().await,
        Deed::Heed => cx.cancelled().await,
        Deed::Shutdown => cx.request_shutdown(),
        Deed::Publish if PUBLISHED.fetch_add(1, Ordering::Relaxed) >= STORM => {}
        Deed::Publish => match cx.publish(Flood).await {
            Err(error) if !error.is_would_deadlock() && !error.is_stopping() => return Err(error.into()),
            _ => {}
        },
    }
    Ok(())
}

impl<const N: usize> Declared for Node<N> {
    const DECLARATION: Declaration = Declaration::new(NAMES[N]);
}

/// Dependencies on the daemons at `on`, which are types.
fn dependencies(on: &[usize]) -> &'static [Dependency] {
    const ALL: [Dependency; 8] = [
        Dependency::on::<Node<0>>(),
        Dependency::on::<Node<1>>(),
        Dependency::on::<Node<2>>(),
        Dependency::on::<Node<3>>(),
        Dependency::on::<Node<4>>(),
        Dependency::on::<Node<5>>(),
        Dependency::on::<Node<6>>(),
        Dependency::on::<Node<7>>(),
    ];
    let on: Vec<_> = on.iter().map(|&on| ALL[on]).collect();
    on.leak() // a few bytes a seed, in a test
}

impl<const N: usize> Wired for Node<N> {
    fn wire(definition: &mut Definition<Self>) {
        let (plan, _) = stage();
        let node = &plan.nodes[N];
        let declaration = Declaration::new(NAMES[N])
            .requires(dependencies(&node.requires))
            .wants(dependencies(&node.wants))
            .restart(node.restart);
        definition.declare(if node.optional { declaration.optional() } else { declaration });
        if let Some(period) = node.period {
            definition.every(Interval::new("tick", period, |node: &Self, cx| {
                let deed = node.deed(2, &node.plan.nodes[N].tick);
                Box::pin(node.work("tick", deed, cx))
            }));
        }
        if node.task.is_some() {
            let task = Task::new("task", |node: &Self, cx| {
                let deeds = node.plan.nodes[N].task.as_deref().unwrap();
                Box::pin(node.work("task", node.deed(3, deeds), cx))
            });
            definition.task(task.restart(node.restart));
        }
        if let Some((capacity, overflow, _)) = &node.handler {
            let handler = EventHandler::<Self>::typed::<Flood>("flood", |node, cx| {
                place(move |event: Arc<Flood>| async move {
                    let (_, _, deeds) = node.plan.nodes[N].handler.as_ref().unwrap();
                    let done = node.work("handler", node.deed(4, deeds), cx).await;
                    (event, done)
                })
            });
            definition.on_event(handler.capacity(*capacity).overflow(*overflow).startup(16));
        }
    }
}

impl<const N: usize> DaemonBase for Node<N> {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let life = self.life.fetch_add(1, Ordering::Relaxed) + 1;
        self.trace.moment(N, life, Moment::Initialize);
        act(self.deed(0, &self.plan.nodes[N].initialize), cx).await?;
        self.trace.moment(N, life, Moment::Initialized);
        Ok(())
    }

    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let life = self.life.load(Ordering::Relaxed);
        self.trace.moment(N, life, Moment::Cleanup);
        let _gone = Gone(self, life, Moment::CleanupGone);
        act(self.deed(1, &self.plan.nodes[N].cleanup), cx).await
    }
}

/// Adds the daemon at `at`.
pub(crate) fn add(host: Host, at: usize) -> Host {
    fn node<const N: usize>(host: Host) -> Host {
        let (plan, trace) = stage();
        host.daemon(Node::<N> { plan, trace, life: AtomicU32::new(0), calls: Default::default() })
    }
    match at {
        0 => node::<0>(host),
        1 => node::<1>(host),
        2 => node::<2>(host),
        3 => node::<3>(host),
        4 => node::<4>(host),
        5 => node::<5>(host),
        6 => node::<6>(host),
        _ => node::<7>(host),
    }
}
