//! Retained events in a host: who begins with them, and who does not see them again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};
use probe::{Log, assert_nothing_left};

#[derive(Event, serde::Serialize)]
#[event("mode", retain)]
struct Mode(u32);

#[derive(Event)]
#[event("rooms:*:topic", local, retain)]
struct Topic(u32);

#[daemon(name = "kept")]
struct Kept(Log);

#[daemon]
impl Kept {
    #[on_event]
    fn mode(&self, mode: &Mode) {
        self.0.say(format!("kept {}", mode.0));
    }
}

impl DaemonBase for Kept {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        self.0.say(format!("kept begins with {:?}", cx.retained::<Mode>().map(|mode| mode.0)));
        Ok(())
    }
}

#[daemon(name = "made")]
struct Made(Log);

#[daemon]
impl Made {
    #[on_event]
    fn mode(&self, mode: &Mode) {
        self.0.say(format!("made {}", mode.0));
    }
}

impl DaemonBase for Made {}

#[tokio::test]
async fn each_value_of_a_daemon_sees_the_last_one_once() {
    let (log, of_made) = (Log::default(), Log::default());
    let made = of_made.clone();
    let host = Host::new("t").daemon(Kept(log.clone())).daemon_with(move || -> Result<Made> { Ok(Made(made.clone())) });
    let host = host.start().await.unwrap();
    let handle = host.handle();
    assert_eq!(handle.publish_and_wait(Mode(1)).await.unwrap(), 2);
    for daemon in ["kept", "made"] {
        handle.restart_daemon(daemon).await.unwrap();
    }
    of_made.said("made 1").await;
    handle.stop_daemon("kept").await.unwrap();
    handle.publish(Mode(2)).await.unwrap();
    handle.start_daemon("kept").await.unwrap();
    log.said("kept 2").await;
    assert_eq!(handle.publish_and_wait(Mode(3)).await.unwrap(), 2);
    assert_eq!(
        log.lines(),
        ["kept begins with None", "kept 1", "kept begins with Some(1)", "kept begins with Some(2)", "kept 2", "kept 3"],
        "the same value: no event twice, and none missed"
    );
    assert_eq!(of_made.lines(), ["made 1", "made 1", "made 2", "made 3"], "another value begins anew");
    let report = host.shutdown().await.unwrap();
    let account = report.events.iter().find(|account| account.subscription == "kept.mode").unwrap();
    assert_eq!((account.offered, account.handled, account.abandoned), (4, 3, 1), "2 twice, once in vain");
    assert_nothing_left(&report);
}

/// Comes late.
#[daemon(name = "late")]
struct Late(Log);

#[daemon]
impl Late {
    #[on_event]
    fn mode(&self, mode: &Mode) {
        self.0.say(format!("late {}", mode.0));
    }

    #[on_event("rooms:**")]
    fn any(&self, event: &daemon_core::Envelope) {
        self.0.say(format!("late {} {}", event.topic(), event.downcast::<Topic>().unwrap().0));
    }
}

impl DaemonBase for Late {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let mut modes = cx.subscribe::<Mode>()?;
        self.0.say(format!("pulled {}", modes.recv().await.unwrap().0));
        let kitchen = cx.retained_on::<Topic>("rooms:kitchen:topic").unwrap();
        self.0.say(format!("kitchen {}", kitchen.0));
        cx.publish(Mode(5)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_daemon_that_is_added_later_begins_with_what_there_is() {
    let log = Log::default();
    let host = Host::new("t").daemon(Kept(log.clone())).start().await.unwrap();
    let handle = host.handle();
    for number in 1..=4 {
        handle.publish(Mode(number)).await.unwrap();
    }
    handle.publish_to("rooms:hall:topic", Topic(1)).await.unwrap();
    handle.publish_to("rooms:kitchen:topic", Topic(2)).await.unwrap();
    handle.publish_to("rooms:hall:topic", Topic(3)).await.unwrap();
    assert_eq!(handle.retained::<Mode>().unwrap().0, 4);
    assert!(handle.audit().unheard.is_empty(), "whoever comes hears it");

    handle.add_daemon(Late(log.clone())).await.unwrap();
    log.said("late rooms:hall:topic 3").await;
    log.said("late 5").await;
    log.in_order(&["pulled 4", "kitchen 2", "late 4", "late 5"]);
    log.in_order(&["late rooms:kitchen:topic 2", "late rooms:hall:topic 3"]);
    assert_nothing_left(&host.shutdown().await.unwrap());
}

fn never(_: &Mode) -> bool {
    panic!("no idea")
}

/// Starts once [`Before`] runs.
#[daemon(name = "picky", requires(Before))]
struct Picky(Log);

#[daemon]
impl Picky {
    #[on_event(when = never)]
    fn mode(&self, mode: &Mode) {
        self.0.say(format!("picky {}", mode.0));
    }

    #[on_event("rooms:*:topic", startup = 1)]
    fn topic(&self, topic: &Topic) {
        self.0.say(format!("topic {}", topic.0));
    }
}

impl DaemonBase for Picky {}

/// Says how things stand before others start.
#[daemon(name = "before", no_handlers)]
struct Before;

impl DaemonBase for Before {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.publish(Mode(1)).await?;
        cx.publish_to("rooms:hall:topic", Topic(1)).await?;
        cx.publish_to("rooms:kitchen:topic", Topic(2)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn the_first_value_is_not_offered_again_what_was_published_while_it_was_to_start() {
    let log = Log::default();
    let made = log.clone();
    let host = Host::new("t").daemon(Before).daemon_with(move || -> Result<Picky> { Ok(Picky(made.clone())) });
    let host = host.start().await.unwrap();
    log.said("topic 2").await;
    let report = host.shutdown().await.unwrap();
    let counts = |name| {
        let account = report.events.iter().find(|account| account.subscription == name).unwrap();
        [account.offered, account.handled, account.failed, account.dropped, account.abandoned]
    };
    assert_eq!(counts("picky.mode"), [1, 0, 1, 0, 0], "its filter is asked once");
    assert_eq!(counts("picky.topic"), [2, 1, 0, 1, 0], "what had no room stays dropped");
    assert_nothing_left(&report);
}
