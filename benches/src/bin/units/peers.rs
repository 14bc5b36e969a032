//! The peers: each unit says that it runs, and waits until it is to end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Gate, Watch};

/// What one writes by hand.
pub async fn tracker(gate: Gate, mut watch: Watch, token: impl Fn(&CancellationToken) -> CancellationToken) {
    let (root, tracker) = (CancellationToken::new(), TaskTracker::new());
    for _ in 0..gate.0.1 {
        let (gate, token) = (gate.clone(), token(&root));
        tracker.spawn(async move {
            gate.pass();
            token.cancelled().await;
        });
    }
    tracker.close();
    gate.opened().await;
    watch.started();
    root.cancel();
    tracker.wait().await;
    watch.stopped();
}

pub async fn graceful_shutdown(gate: Gate, mut watch: Watch) {
    use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};
    let (token, units) = (CancellationToken::new(), gate.clone());
    let start = async move |subsystem: &mut SubsystemHandle| {
        for number in 0..units.0.1 {
            let gate = units.clone();
            let unit = async move |subsystem: &mut SubsystemHandle| {
                gate.pass();
                subsystem.on_shutdown_requested().await;
                Ok::<(), std::io::Error>(())
            };
            subsystem.start(SubsystemBuilder::new(format!("unit-{number}"), unit));
        }
        subsystem.on_shutdown_requested().await;
    };
    let top: Toplevel = Toplevel::new_with_shutdown_token(start, token.clone());
    let ended = tokio::spawn(top.handle_shutdown_requests(Duration::from_secs(120)));
    gate.opened().await;
    watch.started();
    token.cancel();
    drop(ended.await);
    watch.stopped();
}

#[derive(Clone)]
struct Supervised(Gate);

impl task_supervisor::SupervisedTask for Supervised {
    async fn run(self, token: task_supervisor::CancellationToken) -> task_supervisor::TaskResult {
        self.0.pass();
        token.cancelled().await;
        Ok(())
    }
}

pub async fn task_supervisor(gate: Gate, mut watch: Watch) {
    let mut builder = task_supervisor::SupervisorBuilder::new();
    for number in 0..gate.0.1 {
        builder = builder.with_task(&format!("unit-{number}"), Supervised(gate.clone()));
    }
    let supervisor = builder.spawn();
    gate.opened().await;
    watch.started();
    drop(supervisor.shutdown().await);
    watch.stopped();
}

struct KameoUnit;

impl kameo::Actor for KameoUnit {
    type Args = Gate;
    type Error = kameo::error::Infallible;

    async fn on_start(gate: Gate, _: kameo::actor::ActorRef<Self>) -> Result<Self, Self::Error> {
        gate.pass();
        Ok(Self)
    }
}

pub async fn kameo(gate: Gate, mut watch: Watch) {
    use kameo::actor::Spawn;
    let actors: Vec<_> = (0..gate.0.1).map(|_| KameoUnit::spawn(gate.clone())).collect();
    gate.opened().await;
    watch.started();
    for actor in &actors {
        actor.stop_gracefully().await.expect("it runs");
    }
    for actor in &actors {
        actor.wait_for_shutdown().await;
    }
    watch.stopped();
}

struct RactorUnit;

impl ractor::Actor for RactorUnit {
    type Msg = ();
    type State = ();
    type Arguments = Option<Gate>;

    async fn pre_start(&self, _: ractor::ActorRef<()>, gate: Option<Gate>) -> Result<(), ractor::ActorProcessingErr> {
        if let Some(gate) = gate {
            gate.pass();
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ractor::ActorRef<()>,
        _: ractor::SupervisionEvent,
        _: &mut (),
    ) -> Result<(), ractor::ActorProcessingErr> {
        Ok(())
    }
}

pub async fn ractor(gate: Gate, mut watch: Watch) {
    let (supervisor, ended) = ractor::Actor::spawn(None, RactorUnit, None).await.expect("its start cannot fail");
    for _ in 0..gate.0.1 {
        let started = ractor::Actor::spawn_linked(None, RactorUnit, Some(gate.clone()), supervisor.get_cell()).await;
        started.expect("its start cannot fail");
    }
    gate.opened().await;
    watch.started();
    supervisor.stop_children_and_wait(None, None).await;
    supervisor.stop(None);
    drop(ended.await);
    watch.stopped();
}
