//! The accounts of subscriptions made at run time are in the report, whenever these ended.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Event, EventAccount, Host, QueueOptions, Result, Subscription, daemon};
use probe::{Log, assert_nothing_left};
use std::sync::{Mutex, OnceLock};

#[derive(Event)]
#[event("told:*", local)]
struct Told;

#[daemon(name = "puller", no_handlers)]
#[derive(Default)]
struct Puller {
    cx: OnceLock<Context>,
    log: Log,
}

static KEPT: Mutex<Option<Subscription<Told>>> = Mutex::new(None);

impl DaemonBase for Puller {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        if self.cx.set(cx.clone()).is_err() {
            *KEPT.lock().unwrap() = Some(cx.subscribe_to::<Told>("told:late", QueueOptions::default())?);
        }
        self.log.say("lives");
        Ok(())
    }
}

fn numbers(account: &EventAccount) -> [u64; 5] {
    let EventAccount { offered, handled, failed, dropped, abandoned, .. } = *account;
    [offered, handled, failed, dropped, abandoned]
}

#[tokio::test]
async fn they_are_added_up_by_topic_over_all_lives() {
    let host = Host::new("t").daemon(Puller::default()).start().await.unwrap();
    let handle = host.handle();
    let cx = handle.daemon::<Puller>().unwrap().cx.get().unwrap().clone();
    let publish = async |topic: &str| handle.publish_to(topic, Told).await.unwrap();

    for _ in 0..3 {
        let mut one = cx.subscribe_to::<Told>("told:one", QueueOptions::default().capacity(2)).unwrap();
        let all = cx.subscribe_all("told:*", QueueOptions::default()).unwrap();
        publish("told:one").await;
        publish("told:one").await;
        assert!(one.try_recv().is_some());
        handle.publish_to("told:two", Told).await.unwrap();
        assert_eq!(all.status().queued, 3);
    }
    publish("told:one").await; // nobody subscribes now
    let of_first_life = cx.subscribe_all("told:one", QueueOptions::default()).unwrap();
    publish("told:one").await;
    handle.restart_daemon("puller").await.unwrap();
    publish("told:late").await;
    drop(of_first_life);
    assert_eq!(handle.status().daemon("puller").unwrap().subscriptions.len(), 1, "those that are open");

    let report = host.shutdown().await.unwrap();
    let told: Vec<_> = report.events.iter().map(|account| (account.subscription.as_str(), numbers(account))).collect();
    assert_eq!(
        told,
        [
            ("puller.told:*", [9, 0, 0, 0, 9]),
            ("puller.told:late", [1, 0, 0, 0, 1]),
            ("puller.told:one", [7, 3, 0, 0, 4])
        ]
    );
    assert_nothing_left(&report);
    KEPT.lock().unwrap().take();
}

#[tokio::test]
async fn those_of_many_topics_share_an_account() {
    let host = Host::new("t").daemon(Puller::default()).start().await.unwrap();
    let handle = host.handle();
    let cx = handle.daemon::<Puller>().unwrap().cx.get().unwrap().clone();
    for number in 0..1_000 {
        let topic = format!("told:{number}");
        let subscription = cx.subscribe_to::<Told>(&topic, QueueOptions::default()).unwrap();
        handle.publish_to(&topic, Told).await.unwrap();
        drop(subscription);
    }
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.events.len(), 257);
    let others = report.events.iter().find(|account| account.subscription == "puller.(others)").unwrap();
    assert_eq!(numbers(others), [744, 0, 0, 0, 744]);
    assert_nothing_left(&report);
}
