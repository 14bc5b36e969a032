//! One to eight publishers at once on eight threads, that publish as much together: on one topic, and on a thousand.
//!
//! The subscribers are few, so that what is measured is the way in. Who has bounded queues waits for room where one is full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{Done, Subscriber, UserCreated, argument, figure, process, runtime};

use crate::contender::Contender;
use crate::{in_order, ours, peers};

const THREADS: usize = 8;
/// How many publishers there are.
const PUBLISHERS: [usize; 4] = [1, 2, 4, THREADS];
/// How many events are published by all: a ring that holds them all loses none, as one that makes nobody wait otherwise would.
const ALL: usize = THREADS * 10_000;
const TOPICS: usize = 1_000;
/// How often that is done. The median counts: one pass takes some 20 ms, in which the system may give the threads a processor less.
const PASSES: usize = 7;

/// As for the cycles: something may get lost.
const LIMIT: Duration = Duration::from_secs(20);

type Run = fn(bool, usize) -> Option<Vec<Pass>>;

const CONTENDERS: &[(&str, Run, bool)] = &[
    ("tokio mpsc", run_one::<peers::Mpsc>, true),
    ("tokio broadcast, room for all", run_one::<peers::Broadcast<ALL>>, true),
    ("kanal", run_one::<peers::Kanal>, false),
    ("ractor", run_one::<peers::RactorGroup>, false),
    ("daemon-core", run_one::<ours::Daemons>, true),
    ("daemon-core, room for all", run_one::<ours::RoomyDaemons>, true),
    ("daemon-core, pulled", run_one::<ours::Pulled>, true),
    ("daemon-core, bare bus", run_one::<ours::BareBus>, true),
];

/// What one pass took, for each publish.
#[derive(Clone, Copy)]
struct Pass {
    publishers: usize,
    ns: f64,
    cpu_ns: f64,
}

pub fn run(round: u64, quick: bool) {
    for (topics, many) in [("one", false), ("thousand", true)] {
        for (name, run, _) in in_order(round, CONTENDERS).filter(|(.., in_quick)| *in_quick || !quick) {
            let Some(passes) = run(many, PASSES) else { continue };
            for publishers in PUBLISHERS {
                let case = format!("publishers/{topics}/{publishers}");
                let of = |figure: fn(&Pass) -> f64| {
                    median(passes.iter().filter(|pass| pass.publishers == publishers).map(figure).collect())
                };
                figure(&case, name, "ns", of(|pass| pass.ns));
                figure(&case, name, "cpu ns", of(|pass| pass.cpu_ns));
            }
        }
    }
}

/// Every pass of one contender.
pub fn passes() {
    let [topics, contender] = [3, 4].map(|at| argument::<String>(at).unwrap_or_default());
    let (_, run, _) = CONTENDERS.iter().find(|(name, ..)| *name == contender).expect("a contender by its name");
    for pass in run(topics == "thousand", argument(5).unwrap_or(PASSES)).expect("it can do that") {
        let case = format!("publishers/{topics}/{}", pass.publishers);
        figure(&case, &contender, "ns", pass.ns);
        figure(&case, &contender, "cpu ns", pass.cpu_ns);
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// `None` if the contender knows no topics or something got lost.
fn run_one<C: Contender + Clone + Sync>(topics: bool, passes: usize) -> Option<Vec<Pass>> {
    let runtime = runtime(THREADS);
    let took = runtime.block_on(async move { tokio::spawn(publish_all::<C>(topics, passes)).await.ok().flatten() });
    runtime.shutdown_timeout(Duration::from_millis(500));
    took
}

/// One and more publishers take turns, so that what a processor less does to one it does to all.
async fn publish_all<C: Contender + Clone + Sync>(topics: bool, passes: usize) -> Option<Vec<Pass>> {
    let done = Arc::new(Done::default());
    let subscribers = Subscriber::some(if topics { TOPICS } else { 10 }, &done);
    let names: Arc<[String]> = (0..TOPICS).map(|number| format!("bench:topics:{number:03}")).collect();
    let contender = if topics { C::topics(&names, &subscribers).await? } else { C::one_topic(&subscribers).await };
    let mut took = Vec::new();
    for _ in 0..=passes {
        for publishers in PUBLISHERS {
            done.expect(publishers * subscribers.len());
            let (cpu, begun) = (process::cpu(), Instant::now());
            let events = ALL / publishers;
            for _ in 0..publishers {
                let (publisher, names) = (contender.clone(), names.clone());
                tokio::spawn(async move {
                    if topics { on_each(publisher, events, &names).await } else { on_one(publisher, events).await }
                });
            }
            tokio::time::timeout(LIMIT, done.all()).await.ok()?;
            let (ns, cpu) = (begun.elapsed().as_nanos() as f64, process::cpu() - cpu);
            took.push(Pass { publishers, ns: ns / ALL as f64, cpu_ns: cpu * 1e9 / ALL as f64 });
        }
    }
    contender.stop().await;
    took.drain(..PUBLISHERS.len()); // which grew the queues
    Some(took)
}

async fn on_one<C: Contender>(mut publisher: C, events: usize) {
    for number in 0..events {
        publisher.publish(UserCreated::new(number as u64, number == events - 1)).await;
    }
}

async fn on_each<C: Contender>(mut publisher: C, events: usize, names: &[String]) {
    for turn in 0..events / TOPICS {
        for (number, name) in names.iter().enumerate() {
            let last = turn == events / TOPICS - 1;
            publisher.publish_to(number, name, UserCreated::new(number as u64, last)).await;
        }
    }
}
