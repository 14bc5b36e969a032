//! Commands and checks: one form of call, an answer in every state.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Call, CallError, Context, DaemonBase, Host, Result, daemon};
use probe::{Log, MS, S, until};
use serde::{Deserialize, Serialize};
use std::future::pending;
use tokio::time::Instant;

#[derive(Serialize, Deserialize, Debug)]
struct Sum {
    of: Vec<i64>,
}

/// Fits `Sum` only where it is an object.
#[derive(Serialize, Debug)]
struct NotASum {
    of: &'static str,
}

/// A reply that cannot be written.
#[derive(Deserialize)]
struct Unwritable;
impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("written nowhere"))
    }
}

#[daemon(name = "calculator", stop_timeout = "10s")]
#[derive(Default)]
struct Calculator(Log);
#[daemon]
impl Calculator {
    /// Adds numbers.
    #[command]
    async fn sum(&self, request: Sum) -> Result<i64> {
        Ok(request.of.iter().sum())
    }
    #[command(name = "divide-by-zero")]
    async fn divide(&self) -> Result<i64> {
        Err("division by zero".into())
    }
    #[command]
    async fn burst(&self) -> Result<i64> {
        panic!("burst")
    }
    #[command]
    async fn unwritable(&self) -> Result<Unwritable> {
        Ok(Unwritable)
    }
    #[command]
    async fn slow(&self) -> Result<()> {
        self.0.say("slow begins");
        tokio::time::sleep(S(3)).await;
        Ok(())
    }
    #[command]
    async fn stuck(&self) -> Result<()> {
        self.0.say("stuck begins");
        pending().await
    }
    #[command(timeout = "2s")]
    async fn bounded(&self, stuck: bool) -> Result<()> {
        let _gone = self.0.on_drop("bounded is gone");
        if stuck { pending().await } else { Ok(()) }
    }
    #[command(timeout = "1h")]
    async fn patient(&self) -> Result<()> {
        tokio::time::sleep(S(60)).await;
        Ok(())
    }
}
impl DaemonBase for Calculator {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.0.say("initialize");
        tokio::time::sleep(S(2)).await;
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        tokio::time::sleep(S(1)).await;
        Ok(())
    }
}

#[daemon(name = "caller", requires(Calculator), no_handlers)]
struct Caller(Log);
impl DaemonBase for Caller {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let sum = Calculator::client(cx).sum(&Sum { of: vec![20, 22] }).await?;
        self.0.say(format!("sum {sum}"));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_typed_client_calls_through_a_context_and_a_handle() {
    let log = Log::default();
    let host = Host::new("t").daemon(Calculator::default()).daemon(Caller(log.clone())).start().await.unwrap();
    log.at("sum 42");
    let handle = host.handle();
    assert_eq!(Calculator::client(handle.clone()).sum(&Sum { of: vec![1, 2] }).await.unwrap(), 3);
    assert_eq!(handle.status().daemon("calculator").unwrap().commands[1], "divide-by-zero");
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[daemon(name = "chooser", requires(Calculator as "first", Calculator as "second"), no_handlers)]
struct Chooser;
impl DaemonBase for Chooser {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        for name in ["first", "second"] {
            cx.daemon_as::<Calculator>(name).0.say(format!("this is {name}"));
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn instances_are_told_apart() {
    let [first, second] = [(); 2].map(|()| Log::default());
    let host = Host::new("t")
        .daemon_as("first", Calculator(first.clone()))
        .daemon_as("second", Calculator(second.clone()))
        .daemon(Chooser)
        .start()
        .await
        .unwrap();
    assert!(first.has("this is first") && second.has("this is second"), "{first:?}, {second:?}");
    let handle = host.handle();
    let client = || Calculator::client(&handle);
    assert_eq!(client().instance("second").sum(&Sum { of: vec![5] }).await.unwrap(), 5);
    let unnamed = client().sum(&Sum { of: vec![] }).await.unwrap_err();
    assert_eq!(unnamed.to_string(), "no daemon named `calculator`; this host has: first, second, chooser");
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn each_way_a_call_can_fail_has_its_own_error() {
    let host = Host::new("t").daemon(Calculator::default()).start().await.unwrap();
    let handle = host.handle();
    let call = async |daemon: &str, command: &str| handle.call::<_, i64>(daemon, command, &()).await.unwrap_err();

    let error = call("calculatr", "sum").await;
    assert!(matches!(error, CallError::UnknownDaemon { .. }));
    assert_eq!(error.to_string(), "no daemon named `calculatr`; this host has: calculator");

    let error = call("calculator", "sun").await;
    assert!(matches!(error, CallError::UnknownCommand { .. }));
    assert_eq!(
        error.to_string(),
        "daemon `calculator` has no command `sun`; it has: sum, divide-by-zero, burst, unwritable, slow, stuck, bounded, patient"
    );

    let error = handle.call::<_, i64>("calculator", "sum", &NotASum { of: "many" }).await.unwrap_err();
    assert!(matches!(error, CallError::Request(_)));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "invalid type: string \"many\", expected a sequence");

    let error = call("calculator", "divide-by-zero").await;
    assert!(matches!(error, CallError::Failed(_)));
    assert_eq!(error.to_string(), "the command failed: division by zero");

    let error = call("calculator", "burst").await;
    assert!(matches!(error, CallError::Panicked(_)), "{error}");
    assert!(error.to_string().ends_with("panicked: burst"), "{error}");
    assert!(!error.is_unavailable());
    assert_eq!(handle.status().daemon("calculator").unwrap().panics, 1);

    assert!(matches!(call("calculator", "unwritable").await, CallError::Reply(_)));
    let wrong = handle.call::<_, String>("calculator", "sum", &Sum { of: vec![1] }).await.unwrap_err();
    assert!(matches!(wrong, CallError::Reply(_)));

    handle.stop_daemon("calculator").await.unwrap();
    let error = call("calculator", "sun").await;
    assert!(matches!(error, CallError::UnknownCommand { .. }), "whether it runs or not: {error}");
    handle.start_daemon("calculator").await.unwrap();

    // and it still answers
    assert_eq!(Calculator::client(&handle).sum(&Sum { of: vec![1, 2] }).await.unwrap(), 3);
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Tries a call at every step of another daemon's life.
#[daemon(name = "watcher", no_handlers)]
struct Watcher(Log);
impl DaemonBase for Watcher {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let (host, log) = (cx.host(), self.0.clone());
        tokio::spawn(async move {
            let mut last = String::new();
            loop {
                let said = match Calculator::client(&host).sum(&Sum { of: vec![] }).await {
                    Ok(_) => "answered".to_owned(),
                    Err(error) => {
                        assert!(error.is_unavailable(), "{error}");
                        error.to_string()
                    }
                };
                if said != last {
                    log.say(said.clone());
                    last = said;
                }
                tokio::time::sleep(MS(100)).await;
            }
        });
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_not_running_answers_at_once_with_its_state() {
    let log = Log::default();
    let host = Host::new("t").daemon(Calculator::default()).daemon(Watcher(log.clone())).start().await.unwrap();
    log.said("answered").await;
    assert!(host.shutdown().await.unwrap().is_clean());
    log.said("daemon `calculator` is stopped").await;
    assert_eq!(
        log.lines(),
        [
            "daemon `calculator` is starting",
            "answered",
            "daemon `calculator` is stopping",
            "daemon `calculator` is stopped",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_under_way_at_the_stop_is_answered_or_told_so() {
    let calculator = Calculator::default();
    let log = calculator.0.clone();
    let host = Host::new("t").daemon(calculator).start().await.unwrap();
    let handle = host.handle();
    let slow = tokio::spawn({
        let handle = handle.clone();
        async move { Calculator::client(&handle).slow().await }
    });
    let stuck = tokio::spawn({
        let handle = handle.clone();
        async move { Calculator::client(&handle).stuck().await }
    });
    log.said("slow begins").await;
    log.said("stuck begins").await;
    let stopping = tokio::spawn(host.shutdown());
    slow.await.unwrap().unwrap();
    assert!(!log.has("cleanup"));
    let error = stuck.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::ShuttingDown { .. }), "{error}");
    assert!(error.is_unavailable());
    let report = stopping.await.unwrap().unwrap();
    assert_eq!(report.daemon("calculator").unwrap().cut[0].work, "command `stuck`");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_changes_nothing() {
    let calculator = Calculator::default();
    let log = calculator.0.clone();
    let host = Host::new("t").daemon(calculator).start().await.unwrap();
    let handle = host.handle();
    let client = Calculator::client(&handle);
    assert!(tokio::time::timeout(MS(10), client.slow()).await.is_err());
    log.at("slow begins");
    until("the command has ended", || handle.status().daemon("calculator").unwrap().tasks.len() == 1).await;
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_command_may_take_as_long_as_it_says_whoever_waits() {
    let calculator = Calculator::default();
    let log = calculator.0.clone();
    let host = Host::new("t").daemon(calculator).start().await.unwrap();
    let handle = host.handle();
    let client = Calculator::client(&handle);
    client.bounded(&false).await.unwrap();
    log.at("bounded is gone");

    // a caller that does not limit itself is told by the host, not by its own patience
    let begun = Instant::now();
    let error = handle.call::<_, ()>("calculator", "bounded", &true).await.unwrap_err();
    assert_eq!(begun.elapsed(), S(2));
    assert_eq!(error.to_string(), "`calculator.bounded` did not answer within 2s");
    assert!(error.is_timeout());
    assert_eq!(log.count("bounded is gone"), 2, "it was dropped");
    let status = handle.status();
    let daemon = status.daemon("calculator").unwrap();
    assert_eq!(daemon.tasks.len(), 1, "nothing of it is under way");
    assert_eq!(daemon.errors, 1, "it counts as failed");

    // nor does a client give up on a command that may take longer than 30 s, unless it is told to
    client.patient().await.unwrap();
    let error = client.timeout(S(5)).patient().await.unwrap_err();
    assert_eq!(error.to_string(), "`calculator.patient` did not answer within 5s");
    host.shutdown().await.unwrap();
}

#[daemon(name = "patient")]
struct Patient(Log);
#[daemon]
impl Patient {
    #[health(readiness)]
    async fn well(&self) -> Result<()> {
        Ok(())
    }
    #[health(liveness)]
    async fn ill(&self) -> Result<()> {
        Err("a cold".into())
    }
    #[health(startup, timeout = "2s")]
    async fn mute(&self) -> Result<()> {
        let _gone = self.0.on_drop("the check is gone");
        pending().await
    }
    #[health(readiness)]
    async fn faints(&self) -> Result<()> {
        panic!("fell over")
    }
}
impl DaemonBase for Patient {}

#[tokio::test(start_paused = true)]
async fn checks_run_side_by_side_each_with_its_own_limit() {
    let log = Log::default();
    let host = Host::new("t").daemon(Patient(log.clone())).start().await.unwrap();
    let begun = Instant::now();
    let checks = host.handle().run_checks().await;
    assert!(begun.elapsed() <= S(2) + MS(1), "{:?}", begun.elapsed());
    let found: Vec<_> = checks.iter().map(|check| (&*check.name, check.failure.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("well", None),
            ("ill", Some("a cold")),
            ("mute", Some("no answer within 2s")),
            ("faints", Some("panicked: fell over")),
        ]
    );
    log.said("the check is gone").await;
    let report = host.shutdown().await.unwrap();
    assert_eq!((report.daemon("patient").unwrap().panics, report.exit_code), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn after_the_stop_no_check_runs() {
    let host = Host::new("t").daemon(Patient(Log::default())).start().await.unwrap();
    let handle = host.handle();
    host.shutdown().await.unwrap();
    assert!(handle.run_checks().await.is_empty());
}
