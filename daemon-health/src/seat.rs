//! Where a check is asked: a place for the future of its calls that is made once and used for each of them. An edge: here checks are called,
//! and what they are made of is dropped; that either panics is caught.

use crate::{HealthCheck, Verdict, catch::attempt};
use daemon_core::{BoxError, with_sources};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Where one check is asked. Dropped, it gives up the call there is.
pub(crate) struct Seat(Pin<Box<dyn Asked + Send>>);

trait Asked {
    /// Polls the call, which begins if there is none, and is over with its verdict.
    fn poll(self: Pin<&mut Self>, verdict: &mut Poll<Verdict>);

    /// Gives up the call there is.
    fn clear(self: Pin<&mut Self>);
}

type Answer = Result<Verdict, BoxError>;

/// A check that was lent, and is given back with its answer.
type Lent = Arc<dyn HealthCheck>;

pin_project! {
    struct Place<B, F> {
        check: Lent,
        // So that a call need not count one more reference to it.
        lent: Option<Lent>,
        waker: Waker,
        begin: B,
        #[pin]
        call: Option<F>,
    }
}

async fn ask(check: Lent) -> (Lent, Answer) {
    let answer = check.check().await;
    (check, answer)
}

fn place<B, F>(check: Lent, waker: Waker, begin: B) -> Place<B, F>
where
    B: Fn(Lent) -> F,
    F: Future<Output = (Lent, Answer)>,
{
    Place { lent: Some(check.clone()), check, waker, begin, call: None }
}

impl<B, F> Asked for Place<B, F>
where
    B: Fn(Lent) -> F,
    F: Future<Output = (Lent, Answer)>,
{
    fn poll(self: Pin<&mut Self>, verdict: &mut Poll<Verdict>) {
        let mut this = self.project();
        if this.call.is_none() {
            let check = this.lent.take().unwrap_or_else(|| this.check.clone());
            this.call.set(Some((this.begin)(check)));
        }
        let Some(call) = this.call.as_mut().as_pin_mut() else { return };
        if let Poll::Ready((lent, answer)) = call.poll(&mut Context::from_waker(this.waker)) {
            *this.lent = Some(lent);
            *verdict = Poll::Ready(answer.unwrap_or_else(|error| Verdict::unhealthy(with_sources(&*error))));
            this.call.set(None);
        }
    }

    fn clear(self: Pin<&mut Self>) {
        self.project().call.set(None);
    }
}

impl Seat {
    /// That of a check; `waker` is told when its call can go on.
    pub(crate) fn new(check: Arc<dyn HealthCheck>, waker: Waker) -> Self {
        Self(Box::pin(place(check, waker, ask)))
    }

    /// Polls the call under way, or begins one. That it panics is an answer.
    pub(crate) fn poll(&mut self) -> Poll<Verdict> {
        let mut verdict = Poll::Pending;
        let Err(panic) = attempt(|| self.0.as_mut().poll(&mut verdict)) else { return verdict };
        let dropped = match verdict {
            Poll::Pending => attempt(|| self.0.as_mut().clear()),
            Poll::Ready(_) => Err(panic.clone()),
        };
        if let Err(panic) = dropped {
            tracing::error!("what is dropped with a health check {panic}");
        }
        if verdict.is_pending() { Poll::Ready(Verdict::unhealthy(panic)) } else { verdict }
    }
}
