//! This project: annotated daemons in a host, and the bus by itself.

use std::sync::Arc;

use benches::{Subscriber, UserCreated, start};
use daemon_core::{
    Attach, Bus, Context, DaemonBase, EventRow, Failure, Handlers, Host, Observer, Publisher, QueueOptions,
    RunningHost, daemon, place,
};

use crate::contender::{CAPACITY, Contender};
use crate::topics::{TYPES, listeners, publish};

/// How many subscriptions a daemon has.
const EACH: usize = 10;

/// A daemon with a handler for each of its subscribers.
macro_rules! listener {
    ($name:ident, $label:tt, $capacity:tt, $body:ident, $($handler:ident $at:tt),+) => {
        #[daemon(name = $label)]
        struct $name(Vec<Arc<Subscriber>>);

        #[daemon]
        impl $name {
            $(
                #[on_event(capacity = $capacity)]
                async fn $handler(&self, event: &UserCreated) {
                    self.0[$at].$body(event).await;
                }
            )+
        }

        impl DaemonBase for $name {}
    };
}

listener!(One, "one", 256, on_event_async, a 0);
listener!(Ten, "ten", 256, on_event_async, a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, i 8, j 9);
listener!(TenRoomy, "ten-roomy", 80_000, on_event_async, a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, i 8, j 9);
listener!(TenSuspending, "ten-suspending", 256, on_event_later, a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, i 8, j 9);

/// Annotated daemons of ten handlers each.
#[derive(Clone)]
pub struct Daemons {
    host: Arc<RunningHost>,
    cx: Context,
}

async fn daemons<D: DaemonBase>(
    subscribers: &[Arc<Subscriber>],
    daemon: impl Fn(Vec<Arc<Subscriber>>) -> D,
) -> Daemons {
    let mut host = Host::new("bench");
    for (number, some) in subscribers.chunks(EACH).enumerate() {
        host = host.daemon_as(&format!("listener-{number}"), daemon(some.to_vec()));
    }
    let (host, cx) = start(host).await;
    Daemons { host: Arc::new(host), cx }
}

async fn stop(host: Arc<RunningHost>) {
    if let Some(host) = Arc::into_inner(host) {
        assert!(host.shutdown().await.is_ok_and(|report| report.is_clean()), "it stops cleanly");
    }
}

impl Contender for Daemons {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        match subscribers.len() {
            1 => daemons(subscribers, One).await,
            _ => daemons(subscribers, Ten).await,
        }
    }

    async fn publish(&mut self, event: UserCreated) {
        drop(self.cx.publish(event).await);
    }

    async fn topics(_: &[String], subscribers: &[Arc<Subscriber>]) -> Option<Self> {
        if subscribers.len() > TYPES || !subscribers.len().is_multiple_of(EACH) {
            return None;
        }
        let (host, cx) = start(listeners(Host::new("bench"), subscribers)).await;
        Some(Self { host: Arc::new(host), cx })
    }

    async fn publish_to(&mut self, number: usize, topic: &str, event: UserCreated) {
        drop(publish(&self.cx, number, topic, event));
    }

    async fn stop(self) {
        stop(self.host).await;
    }
}

/// The same, with handlers that suspend once.
pub struct SuspendingDaemons(Daemons);

impl Contender for SuspendingDaemons {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        Self(daemons(subscribers, TenSuspending).await)
    }

    async fn publish(&mut self, event: UserCreated) {
        drop(self.0.cx.publish(event).await);
    }

    async fn stop(self) {
        stop(self.0.host).await;
    }
}

/// The same, with room for all that eight publishers publish together, so that none of them waits.
#[derive(Clone)]
pub struct RoomyDaemons(Daemons);

impl Contender for RoomyDaemons {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        Self(daemons(subscribers, TenRoomy).await)
    }

    async fn publish(&mut self, event: UserCreated) {
        drop(self.0.cx.publish(event).await);
    }

    async fn stop(self) {
        stop(self.0.host).await;
    }
}

/// Subscriptions made at run time, each pulled by a task of its own.
#[derive(Clone)]
pub struct Pulled {
    host: Arc<RunningHost>,
    cx: Context,
}

impl Pulled {
    async fn new<'a>(topics: impl Iterator<Item = (&'a str, &'a Arc<Subscriber>)>) -> Self {
        let (host, cx) = start(Host::new("bench")).await;
        for (topic, subscriber) in topics {
            let options = QueueOptions::default().capacity(CAPACITY);
            let mut events = cx.subscribe_to::<UserCreated>(topic, options).expect("it runs");
            let subscriber = subscriber.clone();
            let serve = async move {
                while let Some(event) = events.recv().await {
                    subscriber.on_event_async(&event).await;
                }
            };
            drop(cx.spawn("subscriber", serve).expect("it runs"));
        }
        Self { host: Arc::new(host), cx }
    }
}

impl Contender for Pulled {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        Self::new(subscribers.iter().map(|subscriber| ("bench:users:created", subscriber))).await
    }

    async fn publish(&mut self, event: UserCreated) {
        drop(self.cx.publish(event).await);
    }

    async fn topics(names: &[String], subscribers: &[Arc<Subscriber>]) -> Option<Self> {
        Some(Self::new(names.iter().map(|name| &**name).zip(subscribers)).await)
    }

    async fn publish_to(&mut self, _: usize, name: &str, event: UserCreated) {
        drop(self.cx.publish_to(name, event).await);
    }

    async fn stop(self) {
        stop(self.host).await;
    }
}

/// The bus without a host: ten handlers a dispatcher.
#[derive(Clone)]
pub struct BareBus(Publisher);

struct Group(Vec<Arc<Subscriber>>);

struct Silent;

impl Observer for Silent {
    fn failed(&self, subscription: &str, failure: Failure, _: u32) {
        unreachable!("{subscription}: {failure}");
    }
}

fn row(at: usize) -> EventRow<Group, ()> {
    macro_rules! rows {
        ($($at:literal)+) => {
            [$({
                let attach: Attach<Group, (), UserCreated> = |group, ()| {
                    place(move |event: Arc<UserCreated>| async move {
                        group.0[$at].on_event_async(&event).await;
                        (event, Ok(()))
                    })
                };
                EventRow::typed::<UserCreated>("handler", attach).capacity(CAPACITY)
            }),+]
        };
    }
    rows!(0 1 2 3 4 5 6 7 8 9).into_iter().nth(at).expect("there are ten")
}

impl Contender for BareBus {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        let bus = Bus::new();
        for some in subscribers.chunks(EACH) {
            let mut handlers = Handlers::new();
            for at in 0..some.len() {
                handlers.push(row(at));
            }
            let wiring = handlers.register(&bus, "group").expect("the topic is well formed");
            let group = Group(some.to_vec());
            tokio::spawn(async move { wiring.run(&group, &(), &Silent).await });
        }
        Self(bus.publisher("bench"))
    }

    async fn publish(&mut self, event: UserCreated) {
        drop(self.0.publish(event).await);
    }
}
