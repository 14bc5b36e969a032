//! The audit of events: what nobody hears and who hears nothing, as declared and as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod log;
mod probe;

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Envelope, Event, Host, Published, Result, Wired, daemon,
};
use probe::assert_nothing_left;

#[derive(Event)]
#[event("rooms:opened", local)]
struct Opened;

#[derive(Event)]
#[event("rooms:closed", local)]
struct Closed;

#[derive(Event)]
#[event("rooms:*:said", local)]
struct Said;

#[daemon(name = "rooms", publishes(Opened, Closed, Said), no_handlers)]
struct Rooms;
impl DaemonBase for Rooms {}

#[daemon(name = "lobby", publishes(Opened))]
struct Lobby;
#[daemon]
impl Lobby {
    #[on_event]
    fn opened(&self, _event: &Opened) {}
    #[on_event("rooms:*:left")]
    fn left(&self, _event: &Envelope) {}
    #[on_event("users:**")]
    fn users(&self, _event: &Envelope) {}
}
impl DaemonBase for Lobby {}

/// Says nothing of what it publishes.
#[daemon(name = "mute")]
struct Mute;
#[daemon]
impl Mute {
    #[on_event("users:**")]
    fn users(&self, _event: &Envelope) {}
    #[on_event("rooms:kitchen:said")]
    fn said(&self, _event: &Envelope) {}
}
impl DaemonBase for Mute {}

/// Publishes nothing, and says so.
#[daemon(name = "listener", publishes())]
struct Listener;
#[daemon]
impl Listener {
    #[on_event("users:**")]
    fn users(&self, _event: &Envelope) {}
}
impl DaemonBase for Listener {}

#[test]
fn what_no_handler_listens_to_is_remarked_on_wherever_it_is_declared() {
    let notes = Host::new("t").daemon(Rooms).daemon(Lobby).daemon(Mute).check().unwrap().notes;
    assert_eq!(notes, ["no handler listens to `rooms:closed`, which `rooms` publishes"]);
}

#[test]
fn handlers_to_which_nobody_speaks_are_remarked_on_once_everybody_declares() {
    let notes = Host::new("t").daemon(Rooms).daemon(Lobby).daemon(Listener).check().unwrap().notes;
    assert_eq!(
        notes,
        [
            "no handler listens to `rooms:*:said`, which `rooms` publishes",
            "no handler listens to `rooms:closed`, which `rooms` publishes",
            "no daemon publishes `rooms:*:left`, to which `lobby.left` listens",
            "no daemon publishes `users:**`, to which `lobby.users` and `listener.users` listen",
        ]
    );
}

/// The same by hand.
struct ByHand;
impl Declared for ByHand {
    const DECLARATION: Declaration = Declaration::new("by-hand").publishes(&[Published::of::<Closed>()]);
}
impl Wired for ByHand {
    fn wire(_: &mut Definition<Self>) {}
}
impl DaemonBase for ByHand {}

#[tokio::test]
async fn the_remarks_are_in_the_start_receipt() {
    let host = Host::new("t").daemon(ByHand).daemon(Rooms).daemon(Mute).start().await.unwrap();
    let note = "no handler listens to `rooms:closed`, which `by-hand` and `rooms` publish";
    assert!(host.start_report().notes.iter().any(|told| told == note), "{}", host.start_report());
    assert!(host.start_report().to_string().contains(&format!("  note: {note}\n")));
    assert_nothing_left(&host.shutdown().await.unwrap());
}

#[daemon(name = "chatty")]
struct Chatty;
#[daemon]
impl Chatty {
    #[on_event]
    fn opened(&self, _event: &Opened) {}
    #[on_event("rooms:kitchen:*")]
    fn kitchen(&self, _event: &Envelope) {}
    #[on_event("rooms:garden:*")]
    fn garden(&self, _event: &Envelope) {}
}
impl DaemonBase for Chatty {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        for _ in 0..3 {
            cx.publish(Closed).await?;
        }
        cx.publish_to("rooms:kitchen:said", Said).await?;
        cx.publish_to("rooms:hall:said", Said).await?;
        cx.publish_to("rooms:attic:said", Said).await?;
        Ok(())
    }
}

#[tokio::test]
async fn what_nobody_heard_and_who_heard_nothing_is_counted() {
    let host = Host::new("t").daemon(Chatty).start().await.unwrap();
    host.handle().publish(Closed).await.unwrap();
    host.handle().publish_to("rooms:attic:said", Said).await.unwrap();
    let audit = host.handle().audit();
    let unheard: Vec<_> = audit.unheard.iter().map(|of| (&*of.topic, &*of.publisher, of.events)).collect();
    let expected = [("rooms:attic:said", "chatty", 2), ("rooms:closed", "chatty", 4), ("rooms:hall:said", "chatty", 1)];
    assert_eq!(unheard, expected);
    let unfed: Vec<_> = audit.unfed.iter().map(|of| (&*of.subscription, &*of.topic)).collect();
    assert_eq!(unfed, [("chatty.opened", "rooms:opened"), ("chatty.garden", "rooms:garden:*")]);
    let json = serde_json::to_value(&audit).unwrap();
    assert_eq!(json["unheard"][1], serde_json::json!({"topic": "rooms:closed", "publisher": "chatty", "events": 4}));

    host.handle().publish_and_wait(Opened).await.unwrap();
    assert_eq!(host.handle().audit().unheard, audit.unheard, "whoever is waited for has heard it");

    let report = host.shutdown().await.unwrap();
    assert!(
        report.to_string().contains("\n  nobody heard `rooms:closed`: 4 events, the first from `chatty`\n"),
        "{report}"
    );
    assert!(
        report.to_string().contains("\n  nobody heard `rooms:hall:said`: 1 event, the first from `chatty`\n"),
        "{report}"
    );
    assert_nothing_left(&report);
}

/// Publishes more than it says, and restarts.
#[daemon(name = "gossip", publishes(Opened, Said), no_handlers)]
struct Gossip;
impl DaemonBase for Gossip {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.publish(Opened).await?;
        cx.publish_to("rooms:kitchen:said", Said).await?;
        for _ in 0..3 {
            cx.publish(Closed).await?;
        }
        cx.try_publish_to("users:ada:left", Left)?;
        cx.publish_and_wait(Kept).await?;
        Ok(())
    }
}

#[derive(Event)]
#[event("users:*:left", local)]
struct Left;

#[derive(Event)]
#[event("users:latest", local, retain)]
struct Kept;

#[tokio::test]
async fn what_a_daemon_publishes_beyond_its_word_is_noticed_once() {
    let (log, _listening) = log::listen();
    let host = Host::new("t").daemon(Gossip).daemon(Chatty).start().await.unwrap();
    host.handle().restart_daemon("gossip").await.unwrap();
    host.handle().publish(Closed).await.unwrap();

    let undeclared = host.handle().audit().undeclared;
    let told: Vec<_> = undeclared.iter().map(|of| (&*of.publisher, &*of.topic, &*of.event)).collect();
    let expected = [
        ("gossip", "rooms:closed", "audit::Closed"),
        ("gossip", "users:*:left", "audit::Left"),
        ("gossip", "users:latest", "audit::Kept"),
    ];
    assert_eq!(told, expected, "of `chatty` and the host nothing is known");
    let lines = log.text();
    for (publisher, topic, event) in expected {
        let line = format!(
            "published, though the daemon's `publishes(..)` does not name it publisher=\"{publisher}\" topic=\"{topic}\" event=\"{event}\""
        );
        assert_eq!(lines.matches(&line).count(), 1, "{lines}");
    }
    host.shutdown().await.unwrap();
}

/// One of more types than a publisher notes entries of.
struct Many<const N: usize>;

impl<const N: usize> Event for Many<N> {
    const TOPIC: &'static str = ["m:0", "m:1", "m:2", "m:3", "m:4", "m:5", "m:6", "m:7", "m:8"][N];
}

/// Has much to say, and declares none of it.
#[daemon(name = "talker", publishes(), no_handlers)]
struct Talker;
impl DaemonBase for Talker {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.publish(Many::<0>).await?;
        cx.publish(Many::<1>).await?;
        cx.publish(Many::<2>).await?;
        cx.publish(Many::<3>).await?;
        cx.publish(Many::<4>).await?;
        cx.publish(Many::<5>).await?;
        cx.publish(Many::<6>).await?;
        cx.publish(Many::<7>).await?;
        Ok(cx.publish(Many::<8>).await?)
    }
}

#[tokio::test]
async fn of_many_undeclared_types_each_is_noticed() {
    let host = Host::new("t").daemon(Talker).start().await.unwrap();
    let topics: Vec<_> = host.handle().audit().undeclared.into_iter().map(|of| of.topic).collect();
    assert_eq!(topics, ["m:0", "m:1", "m:2", "m:3", "m:4", "m:5", "m:6", "m:7", "m:8"]);
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn of_topics_made_up_at_run_time_a_bounded_number_is_remembered() {
    let host = Host::new("t").daemon(Rooms).start().await.unwrap();
    let _looks_on = host.handle().tap("**").unwrap();
    for number in 0..1_000 {
        host.handle().publish_to(&format!("rooms:{number}:said"), Said).await.unwrap();
    }
    assert_eq!(host.handle().audit().unheard.len(), 256);
    host.shutdown().await.unwrap();
}
