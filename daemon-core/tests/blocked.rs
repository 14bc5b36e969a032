//! What blocks a worker while its host runs is seen to, whatever it is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use std::sync::{Mutex, mpsc};

use daemon_core::{DaemonBase, Host, Result, TaskKind, daemon};
use probe::{MS, until};

/// Its destructor blocks its thread until it is let go by a hang-up.
#[daemon(name = "sticky", no_handlers)]
struct Sticky(Mutex<mpsc::Receiver<()>>);
impl DaemonBase for Sticky {}

impl Drop for Sticky {
    fn drop(&mut self) {
        assert!(self.0.lock().unwrap().recv().is_err(), "it is let go by a hang-up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_destructor_and_a_load_that_block_a_worker_are_seen_to() {
    let ((drops, dropped), (loads, loaded)) = (mpsc::channel(), mpsc::channel::<()>());
    let (made, loaded) = (Mutex::new(Some(dropped)), Mutex::new(loaded));
    let load = move || -> Result<u32> {
        assert!(loaded.lock().unwrap().recv().is_err(), "it is let go by a hang-up");
        Ok(2)
    };
    let host = Host::new("t").warn_blocked_after(MS(1)).configuration(1_u32, load);
    let host =
        host.daemon_with(move || -> Result<Sticky> { Ok(Sticky(Mutex::new(made.lock().unwrap().take().unwrap()))) });
    let host = host.start().await.unwrap();
    let handle = host.handle();
    let [stops, reloads] = [handle.clone(), handle.clone()];
    let stopping = tokio::spawn(async move { stops.stop_daemon("sticky").await });
    let reloading = tokio::spawn(async move { reloads.reload().await });
    for kind in [TaskKind::Destructor, TaskKind::Load] {
        until("it is seen", || handle.status().blocked.iter().any(|work| work.kind == kind)).await;
    }
    drop((drops, loads));
    stopping.await.unwrap().unwrap();
    reloading.await.unwrap().unwrap();
    host.shutdown().await.unwrap();
}
