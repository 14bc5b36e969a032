//! Contexts that somebody keeps beyond their lives, as anybody may: nothing can be done with them any more, and they keep nothing that
//! was registered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daemon_core::Context;

use crate::node::{Kept, NAMES};
use crate::stage::Stage;

/// Keeps the context of a life that begins, if somebody does, and tries those of the lives before.
pub(crate) fn keep(stage: &Stage, at: usize, cx: &Context) {
    if !stage.plan.keeps_contexts {
        return;
    }
    let mut contexts = stage.contexts.lock().unwrap().clone();
    contexts.retain(|(of, _)| *of == at);
    contexts.iter().for_each(|(_, old)| haunt(stage, at, old));
    stage.contexts.lock().unwrap().push((at, cx.clone()));
}

/// Tries all of them, once the host has stopped.
pub(crate) fn haunt_all(stage: &Stage) {
    let contexts = stage.contexts.lock().unwrap().clone();
    contexts.iter().for_each(|(at, cx)| haunt(stage, *at, cx));
}

/// Tries whatever a context can do, for a life that is over.
fn haunt(stage: &Stage, at: usize, cx: &Context) {
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let second = Duration::from_secs(1);
    let refused = [
        ("a subscription", cx.register_subscription(move || end.store(true, Ordering::Relaxed)).is_err()),
        ("an interval", cx.register_interval("ghost", second, || async {}).is_err()),
        ("a reaction", cx.on_daemon_ready(NAMES[0], || async {}).is_err()),
        ("a deferred call", cx.defer_initialization(second, || async {}).is_err()),
        ("a pulled subscription", cx.subscribe::<Kept>().is_err()),
        ("a tap", cx.tap("flood:*").is_err()),
        ("work", cx.spawn("ghost", async {}).is_err()),
        ("blocking work", cx.spawn_blocking("ghost", || {}).is_err()),
        ("an event", cx.try_publish(Kept).is_err_and(|error| error.is_stopping())),
    ];
    for (what, _) in refused.iter().filter(|(_, refused)| !refused) {
        stage.fault(format!("G3: {what} was taken from n{at} after its life"));
    }
    if !ended.load(Ordering::Relaxed) {
        stage.fault(format!("G15: what n{at} could not register was not ended"));
    }
    if !cx.is_cancelled() || !cx.intervals().is_empty() {
        stage.fault(format!("G15: a life of n{at} is over, and {:?} is left of it", cx.intervals()));
    }
}
