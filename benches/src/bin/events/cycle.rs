//! Publishes until every subscriber has seen it all, over and over, and takes the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{Allocations, Done, Subscriber, UserCreated, process, runtime};

use crate::contender::Contender;

/// How many events a burst has.
const BURST: usize = 128;

/// What one cycle is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One event; wait until every subscriber has seen it.
    Roundtrip,
    /// 128 events; wait until every subscriber has seen the last.
    Burst,
    /// One event on each of as many topics as there are subscribers.
    Topics,
}

impl Shape {
    pub fn name(self) -> &'static str {
        match self {
            Self::Roundtrip => "roundtrip",
            Self::Burst => "burst",
            Self::Topics => "topics",
        }
    }

    fn publishes(self, subscribers: usize) -> usize {
        match self {
            Self::Roundtrip => 1,
            Self::Burst => BURST,
            Self::Topics => subscribers,
        }
    }

    fn deliveries(self, subscribers: usize) -> usize {
        match self {
            Self::Topics => subscribers,
            _ => self.publishes(subscribers) * subscribers,
        }
    }
}

/// What is run.
#[derive(Clone, Copy)]
pub struct Case {
    pub shape: Shape,
    pub subscribers: usize,
    /// Threads of the runtime; 0: the current one.
    pub workers: usize,
}

impl Case {
    pub fn name(self) -> String {
        let runtime = if self.workers == 0 { "ct" } else { "mt" };
        format!("{runtime}/{}/{}", self.shape.name(), self.subscribers)
    }
}

/// How long it is run.
#[derive(Clone, Copy)]
pub enum Budget {
    Time(Duration),
    Cycles(usize),
}

impl Budget {
    fn allows(self, begun: Instant, cycles: usize) -> bool {
        match self {
            Self::Time(budget) => begun.elapsed() < budget || cycles == 0,
            Self::Cycles(budget) => cycles < budget,
        }
    }
}

/// What a contender did.
pub struct Figures {
    /// Nanoseconds for each delivery.
    pub ns: f64,
    /// Those in which a processor was at work for it.
    pub cpu_ns: f64,
    /// For each publish.
    pub allocations: f64,
    /// The share of deliveries that came.
    pub delivered: f64,
}

struct Cycles<C> {
    case: Case,
    contender: C,
    done: Arc<Done>,
    subscribers: Vec<Arc<Subscriber>>,
    names: Vec<String>,
}

impl<C: Contender> Cycles<C> {
    async fn new(case: Case) -> Option<Self> {
        let done = Arc::new(Done::default());
        let subscribers = Subscriber::some(case.subscribers, &done);
        let names: Vec<_> = (0..case.subscribers).map(|number| format!("bench:topics:{number:03}")).collect();
        let contender = match case.shape {
            Shape::Topics => C::topics(&names, &subscribers).await?,
            _ => C::one_topic(&subscribers).await,
        };
        tokio::task::yield_now().await;
        Some(Self { case, contender, done, subscribers, names })
    }

    async fn cycle(&mut self) {
        self.done.expect(self.case.subscribers);
        match self.case.shape {
            Shape::Roundtrip => self.contender.publish(UserCreated::new(1, true)).await,
            Shape::Burst => {
                for number in 0..BURST {
                    self.contender.publish(UserCreated::new(number as u64, number == BURST - 1)).await;
                }
            }
            Shape::Topics => {
                for (number, name) in self.names.iter().enumerate() {
                    self.contender.publish_to(number, name, UserCreated::new(1, true)).await;
                }
            }
        }
        self.done.all().await;
    }

    async fn cycles(&mut self, count: usize) {
        for _ in 0..count {
            self.cycle().await;
        }
    }

    fn seen(&self) -> u64 {
        self.subscribers.iter().map(|subscriber| subscriber.seen()).sum()
    }

    async fn measure(mut self, budget: Budget) -> Figures {
        let Case { shape, subscribers, .. } = self.case;
        // Enough to grow every queue, and to hide what a clock reading costs.
        let step = match budget {
            Budget::Time(_) => (20_000 / shape.deliveries(subscribers)).clamp(1, 64),
            Budget::Cycles(_) => 1,
        };
        self.cycles(step).await;
        let (seen, cpu, begun) = (self.seen(), process::cpu(), Instant::now());
        let mut count = 0;
        while budget.allows(begun, count) {
            self.cycles(step).await;
            count += step;
        }
        let (took, cpu) = (begun.elapsed(), process::cpu() - cpu);
        let deliveries = (count * shape.deliveries(subscribers)) as f64;
        let delivered = (self.seen() - seen) as f64 / deliveries;
        Allocations::count();
        self.cycles(step).await;
        let allocations = Allocations::stop();
        self.contender.stop().await;
        Figures {
            ns: took.as_nanos() as f64 / deliveries,
            cpu_ns: cpu * 1e9 / deliveries,
            allocations: allocations.calls as f64 / (step * shape.publishes(subscribers)) as f64,
            delivered,
        }
    }
}

/// How long anything may take. A contender that loses the last event of a cycle would never end it.
const LIMIT: Duration = Duration::from_secs(20);

async fn drive<C: Contender>(case: Case, budget: Budget) -> Option<Figures> {
    let measured = async { Some(Cycles::<C>::new(case).await?.measure(budget).await) };
    tokio::time::timeout(LIMIT, measured).await.ok().flatten()
}

/// Runs a contender on a runtime of its own.
pub fn on_tokio<C: Contender>(case: Case, budget: Budget) -> Option<Figures> {
    let runtime = runtime(case.workers);
    let figures = match case.workers {
        0 => runtime.block_on(drive::<C>(case, budget)),
        _ => runtime.block_on(async { tokio::spawn(drive::<C>(case, budget)).await.ok().flatten() }),
    };
    runtime.shutdown_timeout(Duration::from_millis(500));
    figures
}

/// Runs a contender of actix, which has a runtime of its own and only on the current thread.
pub fn on_actix<C: Contender>(case: Case, budget: Budget) -> Option<Figures> {
    if case.workers != 0 {
        return None;
    }
    let system = actix::System::new();
    let figures = system.block_on(drive::<C>(case, budget));
    actix::System::current().stop();
    figures
}
