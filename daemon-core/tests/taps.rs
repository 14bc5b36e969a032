//! Taps in a host: until when they see something, and that they are nobody.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Event, Host, Result, SubscribeError, Tap, daemon};
use probe::{Log, assert_nothing_left};
use std::sync::Mutex;

#[derive(Event, serde::Serialize)]
#[event("news")]
struct News(u32);

static KEPT: Mutex<Option<Tap>> = Mutex::new(None);

/// Looks on for as long as it lives, and keeps a tap longer than that.
#[daemon(name = "spy", no_handlers)]
struct Spy(Log);

impl DaemonBase for Spy {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let (mut tap, log) = (cx.tap("news")?, self.0.clone());
        drop(cx.spawn("reads", async move {
            while let Some(seen) = tap.recv().await {
                log.say(format!("saw {}", seen.event.downcast::<News>().unwrap().0));
            }
            log.say("ended");
        })?);
        *KEPT.lock().unwrap() = Some(cx.tap("**")?);
        Ok(())
    }

    async fn cleanup(&self, cx: &Context) -> Result<()> {
        assert!(matches!(cx.tap("**"), Err(SubscribeError::Stopping { .. })));
        Ok(())
    }
}

#[tokio::test]
async fn it_ends_with_the_life_or_the_host_it_belongs_to() {
    let log = Log::default();
    let host = Host::new("t").daemon(Spy(log.clone())).start().await.unwrap();
    let handle = host.handle();
    let mut outside = handle.tap("**").unwrap();
    handle.publish(News(1)).await.unwrap();
    log.said("saw 1").await;
    assert!(handle.status().daemon("spy").unwrap().subscriptions.is_empty(), "it has no account");
    let audit = handle.audit();
    assert_eq!((audit.unheard[0].topic.as_str(), audit.unheard[0].events), ("news", 1), "it is no listener");
    assert!(audit.unfed.is_empty());

    handle.restart_daemon("spy").await.unwrap();
    assert_eq!(log.count("ended"), 1, "the life before");
    handle.publish(News(2)).await.unwrap();
    log.said("saw 2").await;
    let report = host.shutdown().await.unwrap();
    assert_eq!(log.lines(), ["saw 1", "ended", "saw 2", "ended"]);
    assert!(report.is_clean() && report.events.is_empty(), "{report}");
    assert_nothing_left(&report);

    let mut kept = KEPT.lock().unwrap().take().unwrap();
    assert_eq!(kept.try_recv().unwrap().event.downcast::<News>().unwrap().0, 2);
    assert!(kept.recv().await.is_none());
    for number in 1..=2 {
        assert_eq!(outside.recv().await.unwrap().event.downcast::<News>().unwrap().0, number);
    }
    assert!(outside.recv().await.is_none(), "the host has stopped");
    assert!(handle.tap("**").unwrap().recv().await.is_none(), "and nothing will come");
}
