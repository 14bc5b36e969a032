//! Spans that have ended and wait to be sent.
//!
//! **Invariant:** no more wait than the bound, and whoever ends a span never waits. What does not fit is lost, and counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when there is something, and when there is a batch.
    filled: Notify,
    bound: usize,
    batch: usize,
}

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<SpanData>,
    /// How many did not fit since somebody asked.
    lost: u64,
}

impl Queue {
    pub(super) fn new(bound: usize, batch: usize) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), bound, batch }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, span: SpanData) {
        let mut state = self.lock();
        if state.spans.len() >= self.bound {
            state.lost += 1;
            return;
        }
        state.spans.push_back(span);
        let now = state.spans.len();
        drop(state);
        if now == 1 || now == self.batch {
            self.filled.notify_one();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().spans.len()
    }

    /// Waits until so many wait: one, or a batch.
    pub(super) async fn until(&self, count: usize) {
        while self.len() < count {
            self.filled.notified().await;
        }
    }

    /// Takes the oldest.
    pub(super) fn take(&self, most: usize) -> Vec<SpanData> {
        let mut state = self.lock();
        let count = state.spans.len().min(most);
        state.spans.drain(..count).collect()
    }

    /// Takes back what was not sent after all; of what is too much then, the newest are lost.
    pub(super) fn give_back(&self, spans: Vec<SpanData>) {
        let mut state = self.lock();
        spans.into_iter().rev().for_each(|span| state.spans.push_front(span));
        let too_many = state.spans.len().saturating_sub(self.bound);
        state.lost += too_many as u64;
        let kept = state.spans.len() - too_many;
        state.spans.truncate(kept);
    }

    /// How many were lost since this was last asked.
    pub(super) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.lock().lost)
    }
}

/// Where the tracer puts spans that have ended.
#[derive(Debug)]
pub(super) struct Intake(pub(super) Arc<Queue>);

impl SpanProcessor for Intake {
    fn on_start(&self, _span: &mut Span, _cx: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.push(span);
        }
    }

    /// The daemon sends what waits, in its own time.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
