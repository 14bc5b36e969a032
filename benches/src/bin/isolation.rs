//! How long a fast subscriber waits beside a slow one, which takes 20 ms for each event: `isolation ROUND`.
//!
//! An event a millisecond for a fifth of a second, queues of sixteen. The time is from the publish to the handler.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use benches::{argument, figure, runtime};
use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

const EVENTS: usize = 200;
const SLOW: Duration = Duration::from_millis(20);
const CAPACITY: usize = 16;

#[derive(Event)]
#[event("bench:moments", local)]
struct Moment(Instant);

/// What the fast subscriber saw, in microseconds.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<f64>>>);

impl Waits {
    fn book(&self, moment: &Moment) {
        let waited = moment.0.elapsed().as_nanos() as f64 / 1_000.0;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(waited);
    }

    fn report(&self, contender: &str) {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        waits.sort_by(f64::total_cmp);
        figure("isolation", contender, "came", waits.len() as f64 / EVENTS as f64);
        if let (Some(half), Some(most)) = (waits.get(waits.len() / 2), waits.get(waits.len() * 99 / 100)) {
            figure("isolation", contender, "p50 us", *half);
            figure("isolation", contender, "p99 us", *most);
        }
    }
}

async fn paced<F: Future<Output = ()>>(mut publish: impl FnMut() -> F) {
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    for _ in 0..EVENTS {
        pace.tick().await;
        publish().await;
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
}

async fn with_mpsc(waits: Waits) {
    let (fast, mut fast_events) = mpsc::channel::<Arc<Moment>>(CAPACITY);
    let (slow, mut slow_events) = mpsc::channel::<Arc<Moment>>(CAPACITY);
    tokio::spawn(async move {
        while slow_events.recv().await.is_some() {
            tokio::time::sleep(SLOW).await
        }
    });
    tokio::spawn(async move {
        while let Some(moment) = fast_events.recv().await {
            waits.book(&moment)
        }
    });
    paced(async || {
        let moment = Arc::new(Moment(Instant::now()));
        drop(slow.try_send(moment.clone())); // who waited here would make the fast one wait
        drop(fast.send(moment).await);
    })
    .await;
}

async fn with_broadcast(waits: Waits) {
    let (sender, mut fast) = broadcast::channel::<Arc<Moment>>(CAPACITY);
    let mut slow = sender.subscribe();
    tokio::spawn(async move {
        while !matches!(slow.recv().await, Err(RecvError::Closed)) {
            tokio::time::sleep(SLOW).await;
        }
    });
    tokio::spawn(async move {
        loop {
            match fast.recv().await {
                Ok(moment) => waits.book(&moment),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
    paced(async || drop(sender.send(Arc::new(Moment(Instant::now()))))).await;
}

/// Both handlers in one daemon; `$apart`: with what the slow one is told besides.
macro_rules! both {
    ($name:ident, $label:tt, $($apart:ident)?) => {
        #[daemon(name = $label)]
        #[derive(Default)]
        struct $name {
            waits: Waits,
            cx: OnceLock<Context>,
        }

        #[daemon]
        impl $name {
            #[on_event(capacity = 16, overflow = drop_oldest $(, $apart)?)]
            async fn slow(&self, _moment: &Moment) {
                tokio::time::sleep(SLOW).await;
            }

            #[on_event(capacity = 16)]
            fn fast(&self, moment: &Moment) {
                self.waits.book(moment);
            }
        }

        impl DaemonBase for $name {
            async fn initialize(&self, cx: &Context) -> Result<()> {
                drop(self.cx.set(cx.clone()));
                Ok(())
            }
        }

        impl $name {
            async fn run(waits: Waits) {
                let host = Host::new("bench").daemon(Self { waits, cx: OnceLock::new() });
                let host = host.start().await.expect("nothing in it can fail");
                let both = host.handle().daemon::<Self>().expect("it runs");
                let cx = both.cx.get().expect("it was initialised");
                paced(async || drop(cx.publish(Moment(Instant::now())).await)).await;
                drop(host.shutdown().await);
            }
        }
    };
}

// With one dispatcher, which is the hardest, and with one for each.
both!(Both, "both",);
both!(Apart, "apart", isolated);

fn main() {
    let round: u64 = argument(1).unwrap_or(0);
    let run = |contender: &str| {
        let (runtime, waits) = (runtime(2), Waits::default());
        runtime.block_on(async {
            let done = match contender {
                "tokio mpsc" => tokio::spawn(with_mpsc(waits.clone())),
                "tokio broadcast" => tokio::spawn(with_broadcast(waits.clone())),
                "daemon-core, isolated" => tokio::spawn(Apart::run(waits.clone())),
                _ => tokio::spawn(Both::run(waits.clone())),
            };
            drop(done.await);
        });
        waits.report(contender);
    };
    let mut contenders = ["tokio mpsc", "tokio broadcast", "daemon-core", "daemon-core, isolated"];
    if round % 2 == 1 {
        contenders.reverse();
    }
    contenders.into_iter().for_each(run);
}
