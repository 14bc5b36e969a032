//! The same by hand: a thread for signals, a worker for the rest.

fn main() {
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let workers = benches::runtime(1);
    control.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).expect("a handler");
        let mut interrupt = signal(SignalKind::interrupt()).expect("a handler");
        workers.spawn(async {
            benches::ready();
            std::future::pending::<()>().await;
        });
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    workers.shutdown_background();
}
