//! Publishing and waiting until it is handled, in a host: what cannot be handled before the publisher gets on is not waited for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Event, Host, PublishError, Result, daemon};
use probe::{Log, S, assert_nothing_left};
use tokio::time::Instant;

#[derive(Event)]
#[event("state", local)]
struct State(u32);

/// Waits in `initialize` for what only itself, who needs it, or somebody else can handle.
#[daemon(name = "base")]
struct Base(Log);

#[daemon]
impl Base {
    #[on_event]
    fn state(&self, state: &State) {
        self.0.say(format!("base {}", state.0));
    }

    #[command]
    async fn set(&self, state: u32, cx: &Context) -> Result<usize> {
        Ok(cx.publish_and_wait(State(state)).await?)
    }
}

impl DaemonBase for Base {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let error = cx.publish_and_wait(State(0)).await.unwrap_err();
        let PublishError::Unhandled { handled, unhandled } = &error else { panic!("{error}") };
        assert!(error.is_would_deadlock());
        let mut told: Vec<_> = unhandled.iter().map(ToString::to_string).collect();
        told.sort();
        self.0.say(format!("{handled} handled it, not {}", told.join(", ")));
        Ok(())
    }
}

#[daemon(name = "apart")]
struct Apart(Log);

#[daemon]
impl Apart {
    #[on_event]
    async fn state(&self, state: &State, cx: &Context) -> Result<()> {
        self.0.say(format!("apart {}", state.0));
        if state.0 == 1 {
            let error = Base::client(cx).set(&2).await.unwrap_err();
            self.0.say(error.to_string());
        }
        Ok(())
    }
}

impl DaemonBase for Apart {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(2)).await;
        Ok(())
    }
}

#[daemon(name = "middle", wants(Base), no_handlers)]
struct Middle;
impl DaemonBase for Middle {}

#[daemon(name = "top", requires(Middle))]
struct Top(Log);

#[daemon]
impl Top {
    #[on_event]
    fn state(&self, state: &State) {
        self.0.say(format!("top {}", state.0));
    }
}

impl DaemonBase for Top {}

#[tokio::test(start_paused = true)]
async fn who_cannot_run_before_the_publisher_does_is_not_waited_for() {
    let log = Log::default();
    let begun = Instant::now();
    let host =
        Host::new("t").daemon(Base(log.clone())).daemon(Apart(log.clone())).daemon(Middle).daemon(Top(log.clone()));
    let host = host.start().await.unwrap();
    assert_eq!(begun.elapsed(), S(2), "it waited for the one that starts by itself, and for nobody else");
    let would = "it would wait for this publish";
    log.at(&format!("1 handled it, not `base.state` ({would}), `top.state` ({would})"));
    log.said("base 0").await;
    log.said("top 0").await;

    assert_eq!(host.handle().publish_and_wait(State(1)).await.unwrap(), 3);
    log.in_order(&[
        "apart 1",
        "base 2",
        "top 2",
        &format!("the command failed: not handled by `apart.state` ({would})"),
    ]);
    log.said("apart 2").await;
    assert_eq!(host.handle().publish_to_and_wait("state", State(3)).await.unwrap(), 3);
    assert_nothing_left(&host.shutdown().await.unwrap());
}

#[daemon(name = "late", no_handlers)]
struct Late(Log);

impl DaemonBase for Late {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        self.0.say(cx.publish_and_wait(State(9)).await.unwrap_err().to_string());
        let cx = cx.clone();
        let log = self.0.clone();
        tokio::spawn(async move {
            tokio::time::sleep(S(1)).await;
            log.say(cx.publish_and_wait(State(10)).await.unwrap_err().to_string());
        });
        Ok(())
    }
}

#[daemon(name = "listener", wants(Late))]
struct Listener;

#[daemon]
impl Listener {
    #[on_event]
    fn state(&self, _state: &State) {}
}

impl DaemonBase for Listener {}

#[tokio::test(start_paused = true)]
async fn those_who_have_stopped_are_named_and_after_cleanup_nothing_is_published() {
    let log = Log::default();
    let host = Host::new("t").daemon(Late(log.clone())).daemon(Listener).start().await.unwrap();
    assert_nothing_left(&host.shutdown().await.unwrap());
    log.said("`late` is stopping and publishes no more").await;
    log.at("not handled by `listener.state` (abandoned)");
}

#[daemon(name = "quick")]
struct Quick;

#[daemon]
impl Quick {
    #[command]
    async fn tell(&self, state: u32, cx: &Context) -> Result<usize> {
        Ok(cx.publish_and_wait(State(state)).await?)
    }
}

impl DaemonBase for Quick {}

#[daemon(name = "slow", requires(Quick))]
struct Slow;

#[daemon]
impl Slow {
    #[on_event]
    fn state(&self, _state: &State) {}
}

impl DaemonBase for Slow {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(2)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_starts_anew_is_waited_for_by_what_it_requires() {
    let host = Host::new("t").daemon(Quick).daemon(Slow).start().await.unwrap();
    let handle = host.handle();
    let restarts = tokio::spawn({
        let handle = handle.clone();
        async move { handle.restart_daemon("slow").await }
    });
    tokio::time::sleep(S(1)).await;
    assert!(!restarts.is_finished());
    assert_eq!(Quick::client(&handle).tell(&1).await.unwrap(), 1);
    restarts.await.unwrap().unwrap();
    assert_nothing_left(&host.shutdown().await.unwrap());
}
