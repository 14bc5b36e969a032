//! Lives that are cut in the midst of what they do.

use super::{Probe, Rig, exhaust, gated, idle, plain, zero};
use daemon_core::{Failure, Observer};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// As [`Probe`], with a life that can be cut.
struct Cut(Arc<Probe>, AtomicBool);

impl Observer for Cut {
    fn failed(&self, subscription: &str, failure: Failure, in_a_row: u32) {
        self.0.failed(subscription, failure, in_a_row);
    }

    fn over(&self) -> &AtomicBool {
        &self.1
    }
}

#[tokio::test]
async fn a_life_that_is_cut_goes_on_with_no_call_that_is_woken() {
    let rig = Rig::new([gated::<0>()]);
    let cut = Arc::new(Cut(rig.probe.clone(), AtomicBool::new(false)));
    let running = tokio::spawn({
        let (wiring, probe, cut) = (rig.wiring.clone(), rig.probe.clone(), cut.clone());
        async move { wiring.run(&probe, &(), &*cut).await }
    });
    rig.publisher.publish(zero(1)).await.unwrap();
    idle().await;
    cut.1.store(true, Ordering::Release);
    rig.probe.gates[0].add_permits(1);
    running.await.unwrap().unwrap();
    assert_eq!(rig.probe.seen_by("gated"), [0; 0]);
    assert_eq!(rig.counts("gated"), [1, 0, 0, 0, 1, 0, 0]);
}

/// Of more handlers than are called in one go, those that had no turn yet.
#[tokio::test]
async fn who_had_no_turn_yet_when_a_life_was_cut_gets_the_event_in_the_next() {
    const MANY: usize = 100;
    /// As many as a dispatcher calls before it lets others run.
    const IN_ONE_GO: usize = 32;
    let rig = Rig::new([(); MANY].map(|()| plain::<0>()));
    let handled = || rig.wiring.status().iter().map(|status| status.handled).collect::<Vec<_>>();
    {
        let mut life = pin!(rig.wiring.run(&rig.probe, &(), &*rig.probe));
        for cut_short in [false, true] {
            let a_turn = |cx: &mut Context<'_>| {
                if cut_short {
                    exhaust(cx);
                }
                Poll::Ready(life.as_mut().poll(cx).is_pending())
            };
            assert!(std::future::poll_fn(a_turn).await);
            rig.publisher.try_publish(zero(1)).unwrap();
        }
    }
    let first = handled();
    let turns = first.iter().filter(|handled| **handled == 1).count();
    assert_eq!(turns, IN_ONE_GO, "{first:?}");
    assert!(rig.wiring.status().iter().all(|status| status.handled + status.queued == 2));
    rig.drained(rig.start()).await;
    assert_eq!(handled(), [2; MANY]);
    assert_eq!(rig.probe.seen_by("plain").len(), 2 * MANY);
}
