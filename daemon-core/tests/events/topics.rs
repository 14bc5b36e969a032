use super::{Nth, Probe, Rig, Row, Zero, one, plain, zero};
use daemon_core::{
    Attach, Bus, Envelope, Event, EventRow, Handlers, PublishError, Publisher, QueueOptions, SubscribeError, place,
};
use std::sync::Arc;
use std::time::SystemTime;

struct Named(u64);

impl Event for Named {
    const TOPIC: &'static str = "named:*:created";
}

struct Malformed;

impl Event for Malformed {
    const TOPIC: &'static str = "a::b";
}

fn named() -> Row {
    let attach: Attach<Probe, (), Named> = |probe, ()| {
        place(move |event: Arc<Named>| async move {
            probe.saw("named", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Named>("named", attach)
}

fn any(pattern: &'static str) -> Row {
    let attach: Attach<Probe, (), Envelope> = |probe, ()| {
        place(move |event: Arc<Envelope>| async move {
            assert_eq!(event.publisher(), "tester");
            assert!(event.published_at() <= SystemTime::now());
            let json = event.to_json().map(|json| json.unwrap().to_string());
            probe.published.lock().unwrap().push(format!("{} {}", event.topic(), json.as_deref().unwrap_or("local")));
            if let Some(zero) = event.downcast::<Zero>() {
                probe.saw("any", zero.0);
            }
            (event, Ok(()))
        })
    };
    EventRow::envelope("any", pattern, attach)
}

#[tokio::test]
async fn envelopes_carry_whatever_matches() {
    let (rig, running) = Rig::new([any("test:*"), any("named:**"), any("test:zero"), plain::<0>()]).started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    rig.publisher.publish(one(2)).await.unwrap();
    rig.publisher.publish_to("named:x:created", Named(3)).await.unwrap();
    rig.publisher.publish_to("named", Named(4)).await.unwrap();
    rig.publisher.publish_to("elsewhere", Named(5)).await.unwrap();
    rig.drained(running).await;
    let mut told = rig.probe.published.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, ["named local", "named:x:created local", "test:one 2", "test:zero 1", "test:zero 1"]);
    assert_eq!(rig.probe.seen_by("any"), [1, 1]);
    assert_eq!(rig.probe.seen_by("plain"), [1]);
}

#[tokio::test]
async fn handlers_of_one_daemon_get_an_event_in_the_order_in_which_they_were_declared() {
    for rows in [[any("test:*"), plain::<0>()], [plain::<0>(), any("test:*")]] {
        let names = rows.each_ref().map(|row| row.name());
        let (rig, running) = Rig::new(rows).started().await;
        rig.publisher.publish(zero(1)).await.unwrap();
        rig.drained(running).await;
        assert_eq!(*rig.probe.seen.lock().unwrap(), names.map(|name| (name, 1)));
    }
}

#[tokio::test]
async fn a_typed_pattern_takes_its_type_on_every_matching_topic() {
    let (rig, running) = Rig::new([named(), plain::<0>()]).started().await;
    rig.publisher.publish_to("named:a:created", Named(1)).await.unwrap();
    rig.publisher.publish_to("named:b:created", zero(2)).await.unwrap();
    rig.publisher.publish_to("named:b:gone", Named(3)).await.unwrap();
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("named"), [1]);
    assert_eq!(rig.wiring.status()[0].offered, 1, "only its type is offered");
}

#[tokio::test]
async fn misuse_reaches_nobody() {
    let rig = Rig::new([named(), plain::<0>(), any("**")]);
    let misuse = [
        rig.publisher.publish(Named(1)).await.unwrap_err(),
        rig.publisher.publish(Malformed).await.unwrap_err(),
        rig.publisher.publish_to("a b", zero(1)).await.unwrap_err(),
        rig.publisher.publish_to("a:*", zero(1)).await.unwrap_err(),
        rig.publisher.publish_to("test:zero", one(1)).await.unwrap_err(),
        rig.publisher.try_publish_to("test:zero", one(1)).unwrap_err(),
    ];
    assert!(misuse.iter().all(PublishError::is_misuse));
    assert!(matches!(&misuse[0], PublishError::PatternTopic { topic } if topic == "named:*:created"));
    assert!(matches!(&misuse[1], PublishError::InvalidTopic { topic, .. } if topic == "a::b"));
    assert!(matches!(&misuse[2], PublishError::InvalidTopic { .. }));
    assert!(matches!(&misuse[3], PublishError::PatternTopic { .. }));
    assert!(matches!(&misuse[4], PublishError::TypeMismatch { expected, found, .. }
        if expected.ends_with("Nth<0>") && found.ends_with("Nth<1>")));
    assert!(rig.wiring.status().iter().all(|status| status.offered == 0));
}

#[tokio::test]
async fn two_types_on_one_topic_are_refused() {
    struct Impostor;
    impl Event for Impostor {
        const TOPIC: &'static str = Nth::<0>::TOPIC;
    }
    let attach: Attach<Probe, (), Impostor> = |_, ()| place(|event| async move { (event, Ok(())) });
    let impostor = || EventRow::typed::<Impostor>("impostor", attach);
    let rig = Rig::new([plain::<0>()]);
    let register = |rows: Vec<Row>, bus: &Arc<Bus>| {
        let mut handlers = Handlers::new();
        for row in rows {
            handlers.push(row);
        }
        handlers.register(bus, "other").map(drop)
    };
    assert!(matches!(register(vec![impostor()], &rig.bus), Err(SubscribeError::TypeMismatch { .. })));
    assert!(register(vec![plain::<0>(), impostor()], &Bus::new()).is_err());
    assert!(matches!(register(vec![any("a::b")], &rig.bus), Err(SubscribeError::InvalidPattern { .. })));
    assert!(register(vec![impostor()], &Bus::new()).is_ok());
}

#[tokio::test]
async fn made_up_topics_leave_nothing_behind() {
    let (rig, running) = Rig::new([named(), any("other:*"), plain::<0>()]).started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    let before = rig.bus.topics();
    for number in 0..1_000_000 {
        rig.publisher.publish_to(&format!("made-up:{number}"), Named(number)).await.unwrap();
    }
    assert_eq!(rig.bus.topics(), before);
    rig.drained(running).await;
}

#[tokio::test]
async fn entries_go_with_their_last_subscriber() {
    let bus = Bus::new();
    let rig = Rig::on(&bus, "first", [plain::<0>(), any("test:*")]);
    rig.publisher.publish(one(1)).await.unwrap();
    assert_eq!((bus.topics(), bus.subscriptions()), (2, 2));
    let other = Rig::on(&bus, "second", [plain::<0>()]);
    drop(rig);
    assert_eq!((bus.topics(), bus.subscriptions()), (2, 1));
    other.publisher.publish(zero(1)).await.unwrap();
    assert_eq!(other.status("plain").offered, 1);
    drop(other);
    assert_eq!(bus.subscriptions(), 0);
}

/// By its topic or by a pattern, on the topic of a type that its publisher knows by now, and on one made up at run time.
#[tokio::test]
async fn whoever_comes_and_goes_is_known_to_the_next_publish_and_leaves_nothing() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    publisher.publish(zero(0)).await.unwrap();
    let before = bus.topics();
    for number in 1..5 {
        for topic in ["test:zero", "test:*", "test:made-up"] {
            let mut comes = bus.subscribe::<Nth<0>>("comes", topic, QueueOptions::default()).unwrap();
            publisher.publish(zero(number)).await.unwrap();
            publisher.publish_to("test:made-up", zero(number + 100)).await.unwrap();
            let seen: Vec<_> = std::iter::from_fn(|| comes.try_recv()).map(|event| event.0).collect();
            let expected: &[u64] = match topic {
                "test:zero" => &[number],
                "test:*" => &[number, number + 100],
                _ => &[number + 100],
            };
            assert_eq!(seen, expected, "{topic}");
        }
    }
    assert_eq!((bus.topics(), bus.subscriptions()), (before, 0));
}

/// One more topic than a publisher has places to note one in.
struct Many<const N: usize>;

impl<const N: usize> Event for Many<N> {
    const TOPIC: &'static str = ["m:0", "m:1", "m:2", "m:3", "m:4", "m:5", "m:6", "m:7", "m:8"][N];
}

fn arrives<const N: usize>(bus: &Arc<Bus>, publisher: &Publisher) {
    let mut subscription = bus.subscribe::<Many<N>>("me", Many::<N>::TOPIC, QueueOptions::default()).unwrap();
    publisher.try_publish(Many::<N>).unwrap();
    assert!(subscription.try_recv().is_some(), "{}", Many::<N>::TOPIC);
}

#[tokio::test]
async fn a_publisher_of_many_topics_takes_none_for_another() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let all: [fn(&Arc<Bus>, &Publisher); 9] = [
        arrives::<0>,
        arrives::<1>,
        arrives::<2>,
        arrives::<3>,
        arrives::<4>,
        arrives::<5>,
        arrives::<6>,
        arrives::<7>,
        arrives::<8>,
    ];
    all.iter().for_each(|arrives| arrives(&bus, &publisher));
}
