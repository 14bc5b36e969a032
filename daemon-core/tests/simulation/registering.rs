//! What daemons register at run time, and whether they may.

use std::sync::Arc;
use std::time::Duration;

use daemon_core::{Context, Overflow, QueueOptions};

use crate::actor::{Actor, Guard, Heir, PULLS};
use crate::node::{Flood, Kept, NAMES, key};
use crate::plan::Registration;
use crate::trace::Moment;

impl Actor {
    /// Registers or ends something; whether that was refused, where it can be.
    pub(crate) async fn register(self: &Arc<Self>, registration: Registration, cx: &Context) -> Option<bool> {
        match registration {
            Registration::Guard => {
                let guard = Guard::new(self);
                return Some(cx.register_subscription(move || drop(guard)).is_err()); // refused: it is ended at once
            }
            Registration::EndGuards => cx.cleanup_subscriptions(),
            Registration::Interval => {
                let period = Duration::from_millis(30);
                let (guard, tick) = (Guard::new(self), self.bound("late tick", cx));
                let tick = move || {
                    let _: &Guard = &guard;
                    tick()
                };
                return Some(cx.register_interval("late", period, tick).is_err());
            }
            Registration::EndInterval => drop(cx.clear_interval("late").await),
            Registration::EndIntervals => cx.cleanup_intervals().await,
            Registration::Pull => return Some(!self.pull(cx)),
            Registration::Tap => match cx.tap("flood:*") {
                Ok(mut tap) => self.receive(cx, async move { while tap.recv().await.is_some() {} }),
                Err(_) => return Some(true),
            },
            Registration::OnReady => return Some(cx.on_daemon_ready(NAMES[0], self.bound("on_ready", cx)).is_err()),
            Registration::Defer => {
                let call = self.bound("deferred", cx);
                return Some(cx.defer_initialization(Duration::from_millis(20), call).is_err());
            }
            Registration::Blocking => self.spawn_blocking(cx),
            Registration::Heir => {
                let heir = Heir(self.clone(), cx.clone());
                let work = async move {
                    let _heir = heir;
                    std::future::pending::<()>().await;
                };
                drop(cx.spawn("ancestor", work));
            }
        }
        None
    }

    /// Subscribes and receives, in each life by another policy; whether it could.
    fn pull(self: &Arc<Self>, cx: &Context) -> bool {
        let life = self.life();
        if life.is_multiple_of(3) {
            // What is retained it gets first.
            let options = QueueOptions::default().capacity(1).overflow(Overflow::DropNewest);
            let Ok(mut events) = cx.subscribe_to::<Flood<1>>("flood:river", options) else { return false };
            self.receive(cx, async move { while events.recv().await.is_some() {} });
            return true;
        }
        let options = QueueOptions::default().capacity(2);
        let options = match life % 5 {
            0 => options.overflow(Overflow::Block),
            1 => options.overflow(Overflow::DropOldest),
            2 => options.overflow(Overflow::DropNewest),
            3 => options.overflow(Overflow::Latest),
            _ => options.latest_by(key::<0>()),
        };
        let Ok(mut events) = cx.subscribe_to::<Flood<0>>("flood:drop", options) else { return false };
        let Ok(mut kept) = cx.subscribe::<Kept>() else { return false };
        self.receive(cx, async move {
            kept.recv().await;
            drop(kept);
            while events.recv().await.is_some() {}
        });
        true
    }

    /// Receives until there is nothing more to come.
    fn receive(self: &Arc<Self>, cx: &Context, work: impl Future<Output = ()> + Send + 'static) {
        let actor = self.clone();
        // refused once the life is over
        drop(cx.spawn(PULLS, async move { actor.while_under_way(PULLS, work).await }));
    }

    fn spawn_blocking(self: &Arc<Self>, cx: &Context) {
        let (actor, life, blocks) = (self.clone(), self.life(), self.stage.plan.blocks);
        let work = move || {
            actor.moment(life, Moment::Blocks("blocking"));
            if blocks {
                std::thread::sleep(Duration::from_millis(15));
            }
            actor.moment(life, Moment::Blocked("blocking"));
        };
        drop(cx.spawn_blocking("blocking", work));
    }
}
