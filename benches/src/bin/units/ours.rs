//! This project: work that a daemon of a host spawns, and whole daemons.

use benches::start;
use daemon_core::{Context, DaemonBase, Host, daemon};

use crate::{Gate, Watch};

/// Each unit has a name of its own, is cancelled by the host's stop, and joined.
pub async fn tasks(gate: Gate, mut watch: Watch) {
    let (host, cx) = start(Host::new("bench")).await;
    for number in 0..gate.0.1 {
        let (gate, ends) = (gate.clone(), cx.clone());
        let unit = async move {
            gate.pass();
            ends.cancelled().await;
        };
        drop(cx.spawn(&format!("unit-{number}"), unit).expect("it runs"));
    }
    gate.opened().await;
    watch.started();
    let report = host.shutdown().await.expect("it stops");
    assert!(report.is_clean(), "{report}");
    watch.stopped();
}

/// A daemon with a task, restarted on failure, stopped in order.
#[daemon]
struct Unit(Gate);

#[daemon]
impl Unit {
    #[task]
    async fn run(&self, cx: &Context) {
        self.0.pass();
        cx.cancelled().await;
    }
}

impl DaemonBase for Unit {}

pub async fn daemons(gate: Gate, mut watch: Watch) {
    let mut host = Host::new("bench");
    for number in 0..gate.0.1 {
        host = host.daemon_as(&format!("unit-{number}"), Unit(gate.clone()));
    }
    let host = host.start().await.expect("nothing in it can fail");
    gate.opened().await;
    watch.started();
    let report = host.shutdown().await.expect("it stops");
    assert!(report.is_clean(), "{report}");
    watch.stopped();
}
