//! Calls between daemons: their deadlines, and what would never come back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{CallError, Context, DaemonBase, Event, Host, Result, daemon};
use probe::{Log, S, assert_nothing_left};
use std::future::pending;
use tokio::time::Instant;

#[daemon(name = "slow")]
#[derive(Default)]
struct Slow(Log);

#[daemon]
impl Slow {
    #[command]
    async fn at_once(&self) -> Result<u32> {
        Ok(7)
    }
    #[command]
    async fn never(&self, cx: &Context) -> Result<()> {
        self.0.say("begun");
        tokio::select! {
            () = cx.cancelled() => self.0.say("cancelled"),
            () = pending() => {}
        }
        Ok(())
    }
}

impl DaemonBase for Slow {}

fn assert_timed_out(answer: Result<(), CallError>, after: u64) {
    let error = answer.unwrap_err();
    assert!(error.is_timeout() && !error.is_unavailable(), "{error}");
    assert_eq!(error.to_string(), format!("`slow.never` did not answer within {after}s"));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_reply_ends_with_its_deadline() {
    let log = Log::default();
    let host = Host::new("t").daemon(Slow(log.clone())).start().await.unwrap();
    let client = Slow::client(host.handle());

    let begun = Instant::now();
    assert_timed_out(client.never().await, 30);
    assert_eq!(begun.elapsed(), S(30), "the default");
    assert_timed_out(client.clone().timeout(S(2)).never().await, 2);
    assert_eq!(begun.elapsed(), S(32));
    assert_eq!(client.timeout(S(1)).at_once().await.unwrap(), 7);
    assert_eq!(begun.elapsed(), S(32), "one that answers at once takes no time");

    let report = host.shutdown().await.unwrap();
    assert_eq!((log.count("begun"), log.count("cancelled")), (2, 2), "what was called goes on, until the stop");
    assert_nothing_left(&report);
}

#[test]
fn outside_a_runtime_a_double_answers_without_a_clock() {
    struct Double;
    impl daemon_core::Call for Double {
        async fn call<Q, A>(&self, daemon: &str, command: &str, _: &Q) -> Result<A, CallError>
        where
            Q: serde::Serialize + Send + Sync,
            A: serde::de::DeserializeOwned + Send,
        {
            assert_eq!((daemon, command), ("slow", "at_once"));
            serde_json::from_value(8.into()).map_err(CallError::reply)
        }
    }
    let mut waits = 0;
    let client = Slow::client(Double);
    let mut call = std::pin::pin!(async {
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            waits += 1;
            if waits == 3 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        client.at_once().await
    });
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let answer = loop {
        if let std::task::Poll::Ready(answer) = call.as_mut().poll(&mut cx) {
            break answer;
        }
    };
    assert_eq!(answer.unwrap(), 8);
}

#[daemon(name = "ping")]
struct Ping;

#[daemon]
impl Ping {
    #[command]
    async fn ping(&self, depth: u32, cx: &Context) -> Result<u32> {
        if depth == 0 {
            return Ok(0);
        }
        Ok(Pong::client(cx).pong(&(depth - 1)).await? + 1)
    }
}

impl DaemonBase for Ping {}

#[daemon(name = "pong")]
struct Pong;

#[daemon]
impl Pong {
    #[command]
    async fn pong(&self, depth: u32, cx: &Context) -> Result<u32> {
        Ok(Ping::client(cx).ping(&depth).await? + 1)
    }
}

impl DaemonBase for Pong {}

#[tokio::test]
async fn calls_in_a_circle_end_and_are_named() {
    let host = Host::new("t").daemon(Ping).daemon(Pong).start().await.unwrap();
    let client = Ping::client(host.handle());
    assert_eq!(client.ping(&31).await.unwrap(), 62, "a circle that comes to an end is no fault");
    let error = client.ping(&u32::MAX).await.unwrap_err();
    let mut inner: &dyn std::error::Error = &error;
    let mut text = inner.to_string();
    while let Some(source) = inner.source() {
        inner = source;
        text = inner.to_string();
    }
    assert!(text.contains("commands call each other in a circle: .. calls"), "{text}");
    assert!(text.ends_with("`ping.ping` calls `pong.pong` calls `ping.ping`"), "{text}");
    assert_nothing_left(&host.shutdown().await.unwrap());
}

#[derive(Event)]
#[event("work", local)]
struct Work(u32);

/// Its handler awaits a command that publishes to that handler's own full queue.
#[daemon(name = "worker")]
struct Worker(Log);

#[daemon]
impl Worker {
    #[on_event(capacity = 1)]
    async fn work(&self, work: &Work, cx: &Context) {
        if work.0 == 0 {
            let answer = Helper::client(cx).help(&1).await;
            self.0.say(answer.unwrap_err().to_string());
        } else {
            self.0.say(format!("did {}", work.0));
        }
    }
}

impl DaemonBase for Worker {}

#[daemon(name = "helper")]
struct Helper;

#[daemon]
impl Helper {
    #[command]
    async fn help(&self, first: u32, cx: &Context) -> Result<()> {
        for number in first.. {
            cx.publish(Work(number)).await?;
        }
        Ok(())
    }
}

impl DaemonBase for Helper {}

#[tokio::test(start_paused = true)]
async fn a_command_does_not_wait_for_the_handler_that_waits_for_it() {
    let log = Log::default();
    let host = Host::new("t").daemon(Worker(log.clone())).daemon(Helper).start().await.unwrap();
    let begun = Instant::now();
    host.handle().publish(Work(0)).await.unwrap();
    log.said("did 1").await;
    assert!(begun.elapsed() < S(1), "nobody waited for a deadline");
    let refused = "the command failed: `helper` would wait for ever for room in `worker.work`; raise its capacity, let it \
                   drop, or publish from a task";
    assert_eq!(log.lines(), [refused, "did 1"]);
    assert_nothing_left(&host.shutdown().await.unwrap());
}

/// Publishes once its caller has given up.
#[daemon(name = "late")]
struct Late(Log);

#[daemon]
impl Late {
    #[on_event(capacity = 1)]
    async fn work(&self, work: &Work, cx: &Context) {
        if work.0 == 0 {
            assert!(Late::client(cx).timeout(S(1)).publish_late().await.unwrap_err().is_timeout());
            tokio::time::sleep(S(9)).await;
        }
        self.0.say(format!("did {}", work.0));
    }

    #[command]
    async fn publish_late(&self, cx: &Context) -> Result<()> {
        tokio::time::sleep(S(5)).await;
        for number in 1..=3 {
            cx.publish(Work(number)).await?;
        }
        Ok(())
    }
}

impl DaemonBase for Late {}

#[tokio::test(start_paused = true)]
async fn a_command_whose_caller_gave_up_may_wait_for_it() {
    let log = Log::default();
    let host = Host::new("t").daemon(Late(log.clone())).start().await.unwrap();
    host.handle().publish(Work(0)).await.unwrap();
    log.said("did 3").await;
    assert_eq!(log.lines(), ["did 0", "did 1", "did 2", "did 3"]);
    assert_nothing_left(&host.shutdown().await.unwrap());
}
