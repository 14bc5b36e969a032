//! From a publish until every subscriber has seen it: `events ROUND [ct|mt|contended] [quick]`.
//!
//! `events cycles CASE CONTENDER COUNT` does one thing so many times, on the current thread, for whoever counts instructions or cache misses: what
//! a second count takes more, divided, is that of one cycle.
//!
//! `events 0 contended one|thousand CONTENDER PASSES` tells of every pass, for whoever looks at how they are spread, or where the time goes.
//!
//! One call is one round: every contender once in every case, in an order that the number of the round turns around.

mod contended;
mod contender;
mod cycle;
mod ours;
mod peers;
mod topics;

use std::time::Duration;

use benches::{Counting, argument, figure};
use cycle::{Budget, Case, Figures, Shape, on_actix, on_tokio};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Run = fn(Case, Budget) -> Option<Figures>;

/// Who takes part; whether also in a quick run.
const CONTENDERS: &[(&str, Run, bool)] = &[
    ("a function call", on_tokio::<peers::Direct>, true),
    ("tokio mpsc", on_tokio::<peers::Mpsc>, true),
    ("tokio mpsc, try_send", on_tokio::<peers::MpscTry>, true),
    ("tokio mpsc, suspending", on_tokio::<peers::MpscSuspending>, true),
    ("tokio broadcast", on_tokio::<peers::Broadcast>, true),
    ("kanal", on_tokio::<peers::Kanal>, false),
    ("ractor", on_tokio::<peers::RactorGroup>, false),
    ("kameo", on_tokio::<peers::KameoPubSub>, false),
    ("actix", on_actix::<peers::ActixRecipient>, false),
    ("daemon-core", on_tokio::<ours::Daemons>, true),
    ("daemon-core, suspending", on_tokio::<ours::SuspendingDaemons>, true),
    ("daemon-core, pulled", on_tokio::<ours::Pulled>, true),
    ("daemon-core, bare bus", on_tokio::<ours::BareBus>, true),
];

fn main() {
    if argument(1).is_some_and(|word: String| word == "cycles") {
        return cycles();
    }
    let round: u64 = argument(1).unwrap_or(0);
    let what: String = argument(2).unwrap_or_else(|| "ct".to_owned());
    let quick = argument::<String>(3).is_some_and(|word| word == "quick");
    match &*what {
        "contended" if argument::<String>(4).is_some() => contended::passes(),
        "contended" => contended::run(round, quick),
        _ => cases(round, usize::from(what == "mt") * 2, quick),
    }
}

fn cycles() {
    let [case, contender] = [2, 3].map(|at| argument::<String>(at).unwrap_or_default());
    let case = all_cases(0).find(|other| other.name() == case).expect("a case such as ct/burst/10");
    let (_, run, _) = CONTENDERS.iter().find(|(name, ..)| *name == contender).expect("a contender by its name");
    run(case, Budget::Cycles(argument(4).unwrap_or(100))).expect("it can do that");
}

fn all_cases(workers: usize) -> impl Iterator<Item = Case> {
    let shapes = [Shape::Roundtrip, Shape::Burst].into_iter().flat_map(|shape| [1, 10, 100, 1000].map(|n| (shape, n)));
    let shapes = shapes.chain([(Shape::Topics, 100), (Shape::Topics, 1000)]);
    shapes.map(move |(shape, subscribers)| Case { shape, subscribers, workers })
}

fn cases(round: u64, workers: usize, quick: bool) {
    for case in all_cases(workers) {
        let budget = Budget::Time(Duration::from_millis(if case.subscribers == 1000 { 60 } else { 40 }));
        for (name, run, _) in in_order(round, CONTENDERS).filter(|(.., in_quick)| *in_quick || !quick) {
            if name.ends_with("suspending") && case.subscribers < 100 {
                continue;
            }
            if let Some(figures) = run(case, budget) {
                figure(&case.name(), name, "ns", figures.ns);
                figure(&case.name(), name, "cpu ns", figures.cpu_ns);
                figure(&case.name(), name, "allocations", figures.allocations);
                figure(&case.name(), name, "delivered", figures.delivered);
            }
        }
    }
}

/// Odd rounds go backwards, so that none always runs in the wake of the same other.
fn in_order<T>(round: u64, all: &[T]) -> impl Iterator<Item = &T> {
    let last = all.len() - 1;
    (0..all.len()).map(move |at| &all[if round % 2 == 1 { last - at } else { at }])
}
