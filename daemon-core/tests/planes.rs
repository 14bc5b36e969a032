//! Which threads a daemon runs on: the operations plane starts first, stops last, and depends on nothing else.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Error, Host, Plane, Result, State, Wired, daemon,
};

type Log = Arc<Mutex<Vec<String>>>;

fn add(log: &Log, what: impl Into<String>) {
    log.lock().unwrap().push(what.into());
}

/// A daemon of the workers.
#[daemon(no_handlers)]
struct Worker(Log);

impl DaemonBase for Worker {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        add(&self.0, "worker up");
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        add(&self.0, "worker down");
        Ok(())
    }
}

#[daemon(plane = operations)]
struct Operator(Log);

#[daemon]
impl Operator {
    #[command]
    async fn states(&self, cx: &Context) -> Result<Vec<(String, State)>> {
        Ok(cx.host().status().daemons.into_iter().map(|daemon| (daemon.name, daemon.state)).collect())
    }
}

impl DaemonBase for Operator {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        add(&self.0, "operator up");
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        add(&self.0, "operator down");
        Ok(())
    }
}

#[tokio::test]
async fn the_operations_plane_starts_first_and_stops_after_the_shutdown_handlers() {
    let log = Log::default();
    let last = log.clone();
    let host = Host::new("planes")
        .daemon(Worker(log.clone()))
        .daemon(Operator(log.clone()))
        .on_shutdown(move || async move { add(&last, "shutdown handler") })
        .start()
        .await
        .unwrap();
    let status = host.handle().status();
    let plane = |name: &str| status.daemon(name).unwrap().plane;
    assert_eq!((plane("worker"), plane("operator")), (Plane::Workers, Plane::Operations));
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.exit_code, 0);
    let log = log.lock().unwrap();
    assert_eq!(*log, ["operator up", "worker up", "worker down", "shutdown handler", "operator down"]);
}

/// Calls the operator when everything else has stopped.
#[tokio::test]
async fn the_operations_plane_still_answers_when_the_others_have_stopped() {
    let log = Log::default();
    let (sender, heard) = tokio::sync::oneshot::channel();
    let handle: Arc<Mutex<Option<daemon_core::HostHandle>>> = Arc::default();
    let asked = handle.clone();
    let host = Host::new("planes").daemon(Worker(log.clone())).daemon(Operator(log)).on_shutdown(move || async move {
        let handle = asked.lock().unwrap().take().unwrap();
        drop(sender.send(Operator::client(handle).states().await.unwrap()));
    });
    let host = host.start().await.unwrap();
    *handle.lock().unwrap() = Some(host.handle());
    host.shutdown().await.unwrap();
    let states = heard.await.unwrap();
    assert_eq!(states, [("worker".to_owned(), State::Stopped), ("operator".to_owned(), State::Running)]);
}

/// By hand, and on the operations plane all the same.
struct ByHand;

impl Declared for ByHand {
    const DECLARATION: Declaration = Declaration::new("by-hand").plane(Plane::Operations);
}

impl Wired for ByHand {
    fn wire(_: &mut Definition<Self>) {}
}

impl DaemonBase for ByHand {}

#[daemon(name = "dependent", plane = operations, wants(Worker), requires(ByHand), no_handlers)]
struct Dependent;

impl DaemonBase for Dependent {}

#[daemon(name = "above", requires(ByHand), plane = workers, no_handlers)]
struct Above;

impl DaemonBase for Above {}

#[test]
fn what_is_up_first_and_last_depends_on_nothing_that_is_not() {
    let host = Host::new("planes").daemon(Worker(Log::default())).daemon(ByHand).daemon(Dependent).daemon(Above);
    let faults = host.check().unwrap_err().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("`dependent` runs on the operations plane"), "{faults:?}");
    assert!(faults[0].contains("depends on `worker`, which does not; use `#[on_ready(..)]`"), "{faults:?}");
    Host::new("planes").daemon(ByHand).daemon(Above).check().unwrap();
}

#[tokio::test]
async fn a_daemon_that_is_added_is_held_to_the_same() {
    let host = Host::new("planes").daemon(Worker(Log::default())).start().await.unwrap();
    host.handle().add_daemon(ByHand).await.unwrap();
    let error = host.handle().add_daemon(Dependent).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { fault, .. } if fault.contains("depends on `worker`")), "{error:?}");
    let report = host.shutdown().await.unwrap();
    let names: Vec<_> = report.daemons.iter().map(|daemon| &*daemon.name).collect();
    assert_eq!(names, ["worker", "by-hand"], "what is refused leaves no trace");
}

/// Never cleans up.
#[daemon(name = "stubborn", no_handlers)]
struct Stubborn;

impl DaemonBase for Stubborn {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_leaves_the_operations_plane_its_part_of_the_budget() {
    let log = Log::default();
    let host = Host::new("planes").daemon(Stubborn).daemon(Operator(log.clone())).stop_budget(Duration::from_secs(4));
    let report = host.start().await.unwrap().shutdown().await.unwrap();
    let stubborn = report.daemon("stubborn").unwrap();
    // Both may take as long, so each has half of the budget.
    assert!((1_000..=2_000).contains(&stubborn.stop_ms), "{report}");
    assert_eq!((&*stubborn.cut[0].work, report.exit_code), ("cleanup", 75), "{report}");
    assert_eq!(*log.lock().unwrap(), ["operator up", "operator down"]);
}

#[tokio::test(start_paused = true)]
async fn when_its_time_has_come_the_operations_plane_stops_beside_who_still_hangs() {
    let log = Log::default();
    // So little that each step takes longer than its part, and the clock moves only while nobody is busy.
    let host = Host::new("planes").daemon(Stubborn).daemon(Operator(log.clone())).stop_budget(Duration::from_millis(4));
    let report = host.start().await.unwrap().shutdown().await.unwrap();
    let stopped = |name: &str| report.daemon(name).unwrap().stopped_ms.unwrap();
    assert!(stopped("operator") < stopped("stubborn"), "{report}");
    assert_eq!(*log.lock().unwrap(), ["operator up", "operator down"]);
}

/// Takes a second to clean up.
#[daemon(name = "slow-operator", plane = operations, no_handlers)]
struct SlowOperator(Log);

impl DaemonBase for SlowOperator {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        add(&self.0, "operator down");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_handler_that_hangs_leaves_the_operations_plane_its_part_of_the_budget() {
    let log = Log::default();
    let host = Host::new("planes").daemon(SlowOperator(log.clone())).stop_budget(Duration::from_secs(4));
    let host = host.on_shutdown(std::future::pending::<()>).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert!(report.handlers[0].cut.is_some() && report.exit_code == 75, "{report}");
    assert!(report.daemon("slow-operator").unwrap().cut.is_empty(), "{report}");
    assert_eq!(*log.lock().unwrap(), ["operator down"]);
}

/// Requires what stops last, and cleans up for as long as it may.
#[daemon(name = "diligent", requires(ByHand), no_handlers)]
struct Diligent(Log);

impl DaemonBase for Diligent {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(1_700)).await;
        add(&self.0, "diligent down");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_operations_plane_takes_its_part_once_and_not_before_its_time() {
    let log = Log::default();
    let host = Host::new("planes").daemon(Diligent(log.clone())).daemon(ByHand).daemon(Operator(log.clone()));
    let report = host.stop_budget(Duration::from_secs(4)).start().await.unwrap().shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(*log.lock().unwrap(), ["operator up", "diligent down", "operator down"]);
}
