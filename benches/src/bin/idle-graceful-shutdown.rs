//! tokio-graceful-shutdown: one subsystem that does nothing.

use std::time::Duration;

use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

async fn hello(subsystem: &mut SubsystemHandle) -> Result<(), std::io::Error> {
    benches::ready();
    subsystem.on_shutdown_requested().await;
    Ok(())
}

#[tokio::main(worker_threads = 1)]
async fn main() {
    let top: Toplevel = Toplevel::new(async |subsystem: &mut SubsystemHandle| {
        subsystem.start(SubsystemBuilder::new("hello", hello));
    });
    drop(top.catch_signals().handle_shutdown_requests(Duration::from_secs(1)).await);
}
