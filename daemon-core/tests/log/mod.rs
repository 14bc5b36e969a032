//! What integration tests read of the log.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

/// A log that can be read.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn line(&self, with: &str) -> Option<String> {
        self.text().lines().find(|line| line.contains(with)).map(str::to_owned)
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Makes the subscriber of a test one of two. Of a single one tracing takes it that all threads have it, and the first thread to come to
/// a place in the code, which may be another test's, would decide for all that nobody listens there.
pub fn beside_another() {
    static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));
    LazyLock::force(&OTHER);
}

/// Keeps what this thread logs, for as long as the guard lives.
pub fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    beside_another();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    (log, tracing::subscriber::set_default(subscriber))
}

/// Has this thread make every span, for as long as the guard lives.
pub fn look_at_spans() -> tracing::subscriber::DefaultGuard {
    beside_another();
    let spans = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::sink);
    tracing::subscriber::set_default(spans.finish())
}

/// A runtime of so many workers, and what they log.
pub fn overheard(workers: usize) -> (Log, tokio::runtime::Runtime) {
    thread_local! {
        static HEARD: std::cell::RefCell<Option<tracing::subscriber::DefaultGuard>> = const { std::cell::RefCell::new(None) };
    }
    beside_another();
    let log = Log::default();
    let heard = log.clone();
    let hear = move || {
        let subscriber = tracing_subscriber::fmt().with_writer(heard.clone()).with_ansi(false).finish();
        HEARD.set(Some(tracing::subscriber::set_default(subscriber)));
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    (log, runtime.worker_threads(workers).enable_all().on_thread_start(hear).build().unwrap())
}
