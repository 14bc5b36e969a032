//! What all measurements share: the event they carry, the subscribers they call, and how they count and report.

mod allocations;
mod host;
pub mod process;
mod subscriber;

pub use allocations::{Allocations, Counting};
pub use host::start;
pub use subscriber::{Done, Subscriber, UserCreated};

/// Reports one figure; `run` is what `run.py` gathers and `report.py` makes tables of.
#[expect(clippy::print_stdout, reason = "it is the program's output")]
pub fn figure(case: &str, contender: &str, metric: &str, value: f64) {
    println!("{case}\t{contender}\t{metric}\t{value}");
}

/// The parts of a command line, by place.
pub fn argument<T: std::str::FromStr>(at: usize) -> Option<T> {
    std::env::args().nth(at)?.parse().ok()
}

/// A runtime of `workers` threads; of none, the current thread's.
///
/// # Panics
/// If the system refuses.
pub fn runtime(workers: usize) -> tokio::runtime::Runtime {
    let mut builder = match workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(workers.max(1)).enable_all().build().expect("the system gives threads and a timer")
}

/// Tells whoever started this program that it is up.
#[expect(clippy::print_stdout, reason = "it is the program's output")]
pub fn ready() {
    use std::io::Write;
    println!("READY");
    drop(std::io::stdout().flush());
}

/// Waits for SIGTERM.
///
/// # Panics
/// If the system refuses the handler.
pub async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate()).expect("a handler").recv().await;
}
