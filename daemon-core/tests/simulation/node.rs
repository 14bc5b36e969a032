//! The daemons of these hosts, which leave everything to their actors.

use std::sync::Arc;
use std::time::Duration;

use daemon_core::{
    BoxError, Check, CheckKind, CheckOptions, Command, Configuration, Context, DaemonBase, Declaration, Declared,
    Deferred, Definition, Dependency, Envelope, Error, Event, EventHandler, Host, HostHandle, Interval, Key, OnReady,
    Overflow, Result, Schedule, Task, Wired, place,
};

use crate::actor::{Actor, HANDLERS, Value};
use crate::stage::{CHECK_TIMEOUT, Stage};

pub(crate) const NAMES: [&str; 8] = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"];

/// What daemons publish to each other, on one of two topics.
pub(crate) struct Flood<const TOPIC: usize>(pub(crate) u8);
impl<const TOPIC: usize> Event for Flood<TOPIC> {
    const TOPIC: &'static str = ["flood:drop", "flood:river"][TOPIC];
    const RETAIN: bool = TOPIC == 1;
}

/// What is kept for those who subscribe later.
pub(crate) struct Kept;
impl Event for Kept {
    const TOPIC: &'static str = "kept:last";
    const RETAIN: bool = true;
}

pub(crate) struct Node<const N: usize>(
    Arc<Actor>,
    #[expect(dead_code, reason = "it says when it is dropped")] Option<Value>,
);

impl<const N: usize> Node<N> {
    fn new() -> Self {
        Self(Actor::new(N, Stage::current()), None)
    }

    async fn handle(&self, handler: usize, cx: &Context) -> Result<()> {
        let deeds = &self.0.plan().handlers[handler].as_ref().unwrap().deeds;
        self.0.work(HANDLERS[handler], self.0.deed(6 + handler, deeds), cx).await
    }
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

fn typed<const N: usize, const H: usize, const TOPIC: usize>() -> EventHandler<Node<N>> {
    EventHandler::typed::<Flood<TOPIC>>(HANDLERS[H], |node, cx| {
        place(move |event: Arc<Flood<TOPIC>>| async move {
            let done = node.handle(H, cx).await;
            (event, done)
        })
    })
}

pub(crate) fn key<const TOPIC: usize>() -> Key {
    Key::of(|event: &Flood<TOPIC>| &event.0)
}

fn any<const N: usize, const H: usize>() -> EventHandler<Node<N>> {
    EventHandler::envelope(HANDLERS[H], "flood:*", |node, cx| {
        place(move |event: Arc<Envelope>| async move {
            let done = node.handle(H, cx).await;
            (event, done)
        })
    })
}

impl<const N: usize> Wired for Node<N> {
    fn wire(definition: &mut Definition<Self>) {
        let stage = Stage::current();
        let node = &stage.plan.nodes[N];
        let mut declaration = Declaration::new(NAMES[N])
            .requires(dependencies(&node.requires))
            .wants(dependencies(&node.wants))
            .restart(node.restart);
        if let Some(timeout) = node.start_timeout {
            declaration = declaration.start_timeout(timeout);
        }
        if let Some(timeout) = node.stop_timeout {
            declaration = declaration.stop_timeout(timeout);
        }
        definition.declare(if node.optional { declaration.optional() } else { declaration });
        if let Some(period) = node.period {
            let mut schedule =
                Schedule::every(period).overlap(node.overlap).missed(node.missed).on_error(node.on_error);
            if node.jitter {
                schedule = schedule.jitter(daemon_core::time::Percent::from_hundredths(2_000));
            }
            // Where ticks may not overlap none may take longer than a period.
            let limit = if node.overlap.is_concurrent() { Duration::MAX } else { period };
            if let Some(timeout) = node.timeout.filter(|timeout| *timeout < limit) {
                schedule = schedule.timeout(timeout);
            }
            definition.every(Interval::new("tick", schedule, |node: &Self, cx| {
                node.0.work("tick", node.0.deed(2, &node.0.plan().tick), cx)
            }));
        }
        if node.task.is_some() {
            let task = Task::new("task", |node: &Self, cx| {
                let deeds = node.0.plan().task.as_deref().unwrap();
                node.0.work("task", node.0.deed(3, deeds), cx)
            });
            let task = task.restart(node.restart);
            definition.task(if node.finite { task.finite() } else { task });
        }
        let rows = [typed::<N, 0, 0>(), typed::<N, 1, 0>(), typed::<N, 2, 1>(), any::<N, 3>()];
        let keys = [Some(key::<0>()), Some(key::<0>()), Some(key::<1>()), None];
        for (at, (row, key)) in rows.into_iter().zip(keys).enumerate() {
            let Some(handler) = &node.handlers[at] else { continue };
            let row = row.on_error(handler.on_error);
            if at == 1 && node.shares() {
                definition.on_event(row.queue("both"));
                continue;
            }
            let row = row.capacity(handler.capacity).overflow(handler.overflow).startup(handler.startup);
            let row = match key {
                Some(key) if handler.overflow == Overflow::Latest && handler.keyed => row.latest_by(key),
                _ => row,
            };
            let row = if handler.isolated { row.isolated() } else { row };
            definition.on_event(match at {
                0 if node.shares() => row.queue("both"),
                _ => row.concurrency(handler.concurrency),
            });
        }
        if let Some((on, _)) = node.reaction
            && stage.plan.nodes.get(on).is_some_and(|on| !on.late)
        {
            definition.on_ready(OnReady::new("reaction", dependencies(&[on])[0], |node: &Self, cx| {
                let (_, deeds) = node.0.plan().reaction.as_ref().unwrap();
                node.0.work("reaction", node.0.deed(14, deeds), cx)
            }));
        }
        if let Some((delay, _)) = node.deferral {
            definition.deferred(Deferred::new("deferral", delay, |node: &Self, cx| {
                let (_, deeds) = node.0.plan().deferral.as_ref().unwrap();
                node.0.work("deferral", node.0.deed(15, deeds), cx)
            }));
        }
        definition.command(Command::new("ask", "asks", |node: &Self, (): (), cx| {
            Box::pin(async move {
                node.0.work("command", node.0.deed(4, &node.0.plan().command), cx).await?;
                Ok(7_u64)
            })
        }));
        let options = CheckOptions::new(CheckKind::Liveness).timeout(CHECK_TIMEOUT);
        definition.check(Check::new("look", options, |node: &Self, cx| {
            node.0.work("check", node.0.deed(5, &node.0.plan().check), cx)
        }));
    }
}

impl<const N: usize> DaemonBase for Node<N> {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        self.0.initialize(cx).await
    }

    async fn initialize_deferred(&self, cx: &Context) -> Result<()> {
        self.0.work("begun", self.0.deed(16, &self.0.plan().begun), cx).await
    }

    async fn check_reload(&self, next: &Configuration, cx: &Context) -> Result<()> {
        self.0.check_reload(next, cx).await
    }

    async fn reload(&self, next: &Configuration, cx: &Context) -> Result<()> {
        self.0.reload(next, cx).await
    }

    async fn cleanup(&self, cx: &Context) -> Result<()> {
        self.0.cleanup(cx).await
    }
}

/// Adds a daemon: a value, or what makes one for each life.
fn join<const N: usize>(host: Host) -> Host {
    let node = Node::<N>::new();
    if node.0.plan().made.is_none() {
        return host.daemon(node);
    }
    let actor = node.0;
    host.daemon_with(move || {
        let actor = actor.clone();
        async move {
            let value = actor.make().await?;
            Ok::<_, BoxError>(Node::<N>(actor, Some(value)))
        }
    })
}

/// Adds the daemon at `at`.
pub(crate) fn add(host: Host, at: usize) -> Host {
    match at {
        0 => join::<0>(host),
        1 => join::<1>(host),
        2 => join::<2>(host),
        3 => join::<3>(host),
        4 => join::<4>(host),
        5 => join::<5>(host),
        6 => join::<6>(host),
        _ => join::<7>(host),
    }
}

/// Adds the daemon at `at` to a host that runs.
pub(crate) async fn add_to(host: &HostHandle, at: usize) -> Result<(), Error> {
    match at {
        0 => host.add_daemon(Node::<0>::new()).await,
        1 => host.add_daemon(Node::<1>::new()).await,
        2 => host.add_daemon(Node::<2>::new()).await,
        3 => host.add_daemon(Node::<3>::new()).await,
        4 => host.add_daemon(Node::<4>::new()).await,
        5 => host.add_daemon(Node::<5>::new()).await,
        6 => host.add_daemon(Node::<6>::new()).await,
        _ => host.add_daemon(Node::<7>::new()).await,
    }
}
