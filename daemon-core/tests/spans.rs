//! Spans of events and ticks, seen by a subscriber that notes them all.
#![expect(clippy::unwrap_used, reason = "a test")]

mod log;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon_core::testing::TestHost;
use daemon_core::{Bus, Context, DaemonBase, Envelope, Event, QueueOptions, Result, daemon};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Instrument, Level, Subscriber};
use tracing_subscriber::layer::{Context as Of, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// One span: its name, its fields, and by their numbers the spans it follows from and is in.
#[derive(Clone, Debug, Default)]
struct Seen {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
    follows: Vec<u64>,
    parent: Option<u64>,
    closed: bool,
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

/// Every span up to a level.
#[derive(Clone)]
struct Notes {
    level: Level,
    spans: Arc<Mutex<BTreeMap<u64, Seen>>>,
}

impl Notes {
    fn take(level: Level) -> (Self, DefaultGuard) {
        log::beside_another();
        let notes = Self { level, spans: Arc::default() };
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(notes.clone()));
        (notes, guard)
    }

    fn named(&self, name: &str) -> Vec<(u64, Seen)> {
        let spans = self.spans.lock().unwrap();
        spans.iter().filter(|(_, seen)| seen.name == name).map(|(id, seen)| (*id, seen.clone())).collect()
    }

    /// The events that were pulled from a subscription to a pattern.
    fn pulled(&self, pattern: &str) -> Vec<(u64, Seen)> {
        let events = self.named("event").into_iter();
        events.filter(|(_, seen)| seen.fields["handler"] == pattern).collect()
    }

    /// The calls of a handler.
    fn of(&self, handler: &str) -> Vec<Seen> {
        let events = self.named("event").into_iter().map(|(_, seen)| seen);
        events.filter(|seen| seen.fields["handler"] == handler).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Of<'_, S>) -> bool {
        *metadata.level() <= self.level
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Of<'_, S>) {
        let parent = cx.span(id).unwrap().parent().map(|parent| parent.id().into_u64());
        let mut seen = Seen { name: attributes.metadata().name(), parent, ..Seen::default() };
        attributes.record(&mut seen);
        self.spans.lock().unwrap().insert(id.into_u64(), seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Of<'_, S>) {
        values.record(self.spans.lock().unwrap().get_mut(&id.into_u64()).unwrap());
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, cx: Of<'_, S>) {
        assert!(cx.span(follows).is_some(), "whoever exports spans can only link to one that is open");
        self.spans.lock().unwrap().get_mut(&id.into_u64()).unwrap().follows.push(follows.into_u64());
    }

    fn on_close(&self, id: Id, _: Of<'_, S>) {
        self.spans.lock().unwrap().get_mut(&id.into_u64()).unwrap().closed = true;
    }
}

#[derive(Event)]
#[event("mill:grain", local)]
struct Grain(u64);

#[derive(Event)]
#[event("mill:flour", local)]
struct Flour;

#[derive(Event)]
#[event("mill:bread", retain, local)]
struct Bread;

#[derive(Event)]
#[event("oven:heat", local)]
struct Heat;

#[daemon(name = "mill")]
#[derive(Default)]
struct Mill(AtomicU32);

#[daemon]
impl Mill {
    /// Suspends, then publishes.
    #[on_event]
    async fn grind(&self, grain: &Grain, cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        match grain.0 {
            0 => Err("a stone".into()),
            1 => panic!("a fire"),
            _ => Ok(cx.publish(Flour).await?),
        }
    }

    #[on_event]
    async fn bake(&self, _flour: &Flour) {}

    #[on_event]
    async fn store(&self, _flour: &Flour) {}

    #[on_event("mill:*", when = is_flour)]
    async fn watch(&self, _any: &Envelope) {}

    #[on_event]
    async fn eat(&self, _bread: &Bread) {}

    #[every("1s")]
    async fn turn(&self) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if self.0.fetch_add(1, Ordering::Relaxed) == 1 { Err("no wind".into()) } else { Ok(()) }
    }
}

fn is_flour(any: &Envelope) -> bool {
    any.topic() == "mill:flour"
}

impl DaemonBase for Mill {}

#[tokio::test]
async fn a_handler_follows_from_what_published_its_event() {
    let (notes, _guard) = Notes::take(Level::DEBUG);
    let host = TestHost::start(Mill::default()).await;
    for number in [2, 0, 3] {
        let request = tracing::info_span!("request");
        let handle = host.handle();
        let sent = handle.publish(Grain(number)).instrument(request);
        sent.await.unwrap();
    }
    host.advance("100ms").await;

    let (requests, published) = (notes.named("request"), notes.named("publish"));
    let grain: Vec<_> = published.iter().filter(|(_, seen)| seen.fields["daemon"] == "host").collect();
    let ground = notes.of("grind");
    assert_eq!((grain.len(), ground.len()), (3, 3));
    for ((request, grain), ground) in requests.iter().zip(&grain).zip(&ground) {
        assert_eq!((&grain.1.follows, grain.1.parent), (&vec![request.0], None));
        assert_eq!(ground.follows, [grain.0]);
        assert!(request.1.closed && grain.1.closed && ground.closed, "nobody keeps another open");
    }
    let flour: Vec<_> = published.iter().filter(|(_, seen)| seen.fields["daemon"] == "mill").collect();
    assert_eq!(flour.len(), 2);
    let event = |id: &u64| notes.spans.lock().unwrap()[id].clone();
    assert!(flour.iter().all(|(_, seen)| event(&seen.follows[0]).fields["handler"] == "grind"));
    for handler in ["bake", "store", "watch"] {
        let links: Vec<_> = notes.of(handler).iter().map(|seen| seen.follows[0]).collect();
        assert_eq!(links, [flour[0].0, flour[1].0], "{handler}");
    }
    host.shutdown().await;
}

/// All who take it take it as it is, and the tables that say so are made.
#[tokio::test]
async fn an_event_that_goes_the_shortest_way_has_a_span_too() {
    let bus = Bus::new();
    let (publisher, mut heat) =
        (bus.publisher("oven"), bus.subscribe::<Heat>("stove", Heat::TOPIC, <_>::default()).unwrap());
    publisher.publish(Heat).await.unwrap();
    assert!(heat.recv().await.is_some());
    let (notes, _guard) = Notes::take(Level::DEBUG);
    publisher.publish(Heat).await.unwrap();
    assert!(heat.recv().await.is_some());
    let published: Vec<_> = notes.named("publish").into_iter().map(|(id, _)| vec![id]).collect();
    let pulled: Vec<_> = notes.pulled(Heat::TOPIC).into_iter().map(|(_, seen)| seen.follows).collect();
    assert!(published.len() == 1 && published == pulled, "{published:?} {pulled:?}");
}

#[tokio::test]
async fn fields_have_the_names_that_opentelemetry_gives_them() {
    let (notes, _guard) = Notes::take(Level::DEBUG);
    let host = TestHost::start(Mill::default()).await;
    for number in [0, 1, 2] {
        host.handle().publish(Grain(number)).await.unwrap();
    }
    host.advance("100ms").await;
    let of = |seen: &Seen, name: &str| seen.fields.get(name).cloned().unwrap_or_default();
    let (_, published) = &notes.named("publish")[0];
    let names =
        ["otel.name", "otel.kind", "messaging.system", "messaging.operation.type", "messaging.destination.name"];
    assert_eq!(
        names.map(|name| of(published, name)),
        ["publish mill:grain", "producer", "daemon_core", "send", "mill:grain"]
    );
    let ground = notes.of("grind");
    assert_eq!(
        names.map(|name| of(&ground[0], name)),
        ["process mill:grain", "consumer", "daemon_core", "process", "mill:grain"]
    );
    assert_eq!(of(&ground[0], "messaging.destination.subscription.name"), "mill.grind");
    let ends = ground.iter().map(|seen| (of(seen, "otel.status_code"), of(seen, "error.type"))).collect::<Vec<_>>();
    let end = |code: &str, kind: &str| (code.to_owned(), kind.to_owned());
    assert_eq!(ends, [end("ERROR", "error"), end("ERROR", "panic"), end("", "")]);
    assert_eq!(of(&notes.of("watch")[0], "messaging.destination.name"), "mill:flour", "the topic, not the pattern");
    host.shutdown().await;
}

/// Publishes when told to, and pulls what comes.
#[daemon(name = "shop")]
struct Shop(Arc<Mutex<Vec<String>>>);

#[daemon]
impl Shop {
    #[task]
    async fn sell(&self, cx: &Context) -> Result<()> {
        let mut flour = cx.subscribe::<Flour>()?;
        let mut all = cx.subscribe_all("mill:*", QueueOptions::default())?;
        while let Some(_flour) = flour.recv().await {
            cx.publish(Bread).instrument(flour.span()).await?;
            let any = all.recv().await;
            self.0.lock().unwrap().extend(any.map(|any| any.topic().to_owned()));
            let any = all.try_recv();
            self.0.lock().unwrap().extend(any.map(|any| any.topic().to_owned()));
        }
        Ok(())
    }
}

impl DaemonBase for Shop {}

#[tokio::test]
async fn what_is_pulled_has_a_span_until_the_next_is_asked_for() {
    let (notes, _guard) = Notes::take(Level::DEBUG);
    let pulled = Arc::default();
    let host = TestHost::start(Shop(Arc::clone(&pulled))).await;
    host.advance("1ms").await;
    host.handle().publish(Flour).await.unwrap();
    host.advance("1ms").await;

    assert_eq!(*pulled.lock().unwrap(), ["mill:flour", "mill:bread"]);
    let published = notes.named("publish");
    let [(flour, _), (bread, of_bread)] = &published[..] else { panic!("{published:?}") };
    let [(taken, taken_flour)] = &notes.pulled("mill:flour")[..] else { panic!("{:?}", notes.named("event")) };
    assert_eq!(taken_flour.follows, [*flour]);
    assert_eq!(of_bread.follows, [*taken], "what is done with it can be done in its span");
    let kinds = ["otel.name", "messaging.operation.type", "messaging.destination.subscription.name"];
    assert_eq!(kinds.map(|name| &*taken_flour.fields[name]), ["receive mill:flour", "receive", "shop.mill:flour"]);
    let any: Vec<_> = notes.pulled("mill:*").into_iter().map(|(_, seen)| (seen.follows, seen.closed)).collect();
    assert_eq!(any, [(vec![*flour], true), (vec![*bread], false)]);
    assert!(taken_flour.closed && published.iter().all(|(_, seen)| seen.closed));
    host.shutdown().await;
    assert!(notes.named("event").iter().all(|(_, seen)| seen.closed));
}

#[tokio::test]
async fn who_gets_a_retained_event_late_follows_from_the_span_in_which_it_is_kept() {
    let (notes, _guard) = Notes::take(Level::DEBUG);
    let host = TestHost::new("t").daemon(Mill::default()).daemon(Shop(Arc::default())).start().await;
    host.handle().publish(Flour).await.unwrap();
    host.advance("1ms").await;
    let kept = || notes.named("retain").into_iter().map(|(id, seen)| (id, seen.closed)).collect::<Vec<_>>();
    let [(first, false)] = kept()[..] else { panic!("{:?}", notes.named("retain")) };
    let bread = notes.named("publish").into_iter().find(|(_, seen)| seen.fields["otel.name"] == "publish mill:bread");
    let (bread, of_bread) = bread.unwrap();
    assert!(of_bread.closed, "it is not kept open for those who come late");
    assert_eq!(notes.named("retain")[0].1.follows, [bread]);

    host.handle().add_daemon_as("late", Mill::default()).await.unwrap();
    host.advance("1ms").await;
    let mut eaten: Vec<_> =
        notes.of("eat").into_iter().map(|seen| (seen.fields["daemon"].clone(), seen.follows)).collect();
    eaten.sort();
    assert_eq!(eaten, [("late".to_owned(), vec![first]), ("mill".to_owned(), vec![bread])]);
    host.handle().publish(Flour).await.unwrap();
    host.advance("1ms").await;
    let ended: BTreeMap<_, _> = kept().into_iter().collect();
    assert_eq!((ended.len(), ended[&first]), (2, true), "another took its place: {ended:?}");
    assert!(ended.values().any(|ended| !ended));
    host.handle().publish_to("mill:cake", Bread).await.unwrap();
    host.handle().stop_daemon("shop").await.unwrap();
    let open: Vec<_> = notes.named("retain").into_iter().filter(|(_, seen)| !seen.closed).collect();
    let [(_, of_cake)] = &open[..] else { panic!("those whose publisher has stopped are over: {open:?}") };
    assert_eq!(of_cake.fields["otel.name"], "retain mill:cake");
    host.shutdown().await;
}

#[tokio::test]
async fn each_tick_has_a_span() {
    let (notes, _guard) = Notes::take(Level::DEBUG);
    let host = TestHost::start(Mill::default()).await;
    host.advance("3500ms").await;
    let ticks = notes.named("tick");
    let of = |name: &str| {
        ticks.iter().map(|(_, seen)| seen.fields.get(name).cloned().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(of("otel.name"), ["tick mill.turn"; 3]);
    assert_eq!(of("otel.status_code"), ["", "ERROR", ""]);
    assert_eq!(of("error.type"), ["", "error", ""]);
    assert!(ticks.iter().all(|(_, seen)| seen.closed));
    host.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_waits_has_a_span_for_each_event_that_queued_up() {
    let (notes, _guard) = Notes::take(Level::DEBUG);
    let host = TestHost::start(Mill::default()).await;
    for number in 2..22 {
        host.handle().publish(Grain(number)).await.unwrap();
    }
    let waited = host.handle();
    let (one, other) = tokio::join!(waited.publish_and_wait(Grain(30)), waited.publish_and_wait(Grain(31)));
    assert_eq!((one.unwrap(), other.unwrap()), (1, 1));
    host.advance("1s").await;
    assert_eq!((notes.of("grind").len(), notes.of("bake").len()), (22, 22));
    assert!(notes.named("publish").iter().all(|(_, seen)| seen.closed));
    host.shutdown().await;
}

#[tokio::test]
async fn without_anybody_who_looks_there_are_none() {
    let (notes, _guard) = Notes::take(Level::INFO);
    let host = TestHost::start(Mill::default()).await;
    host.handle().publish(Grain(2)).await.unwrap();
    host.handle().publish(Bread).await.unwrap();
    host.advance("1500ms").await;
    let names: Vec<_> = notes.spans.lock().unwrap().values().map(|seen| seen.name).collect();
    assert!(names.iter().all(|name| *name == "daemon"), "{names:?}");
    host.shutdown().await;
}
