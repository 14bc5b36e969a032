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
    fn poll(self: Pin<&mut Self>, verdict: &mut Option<Verdict>);
}

/// A check that is lent to a call, and given back with its answer: so none has to count one more reference to it.
type Lent = Arc<dyn HealthCheck>;

type Answer = Result<Verdict, BoxError>;

pin_project! {
    #[project = CallNow]
    #[project_replace = CallBefore]
    enum Call<F> {
        None { check: Lent },
        UnderWay { #[pin] future: F },
        Lost,
    }
}

pin_project! {
    struct Place<B, F> {
        waker: Waker,
        begin: B,
        #[pin]
        call: Call<F>,
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
    Place { waker, begin, call: Call::None { check } }
}

impl<B, F> Asked for Place<B, F>
where
    B: Fn(Lent) -> F,
    F: Future<Output = (Lent, Answer)>,
{
    fn poll(self: Pin<&mut Self>, verdict: &mut Option<Verdict>) {
        let mut this = self.project();
        if !matches!(*this.call, Call::UnderWay { .. })
            && let CallBefore::None { check } = this.call.as_mut().project_replace(Call::Lost)
        {
            let future = (this.begin)(check);
            this.call.set(Call::UnderWay { future });
        }
        let CallNow::UnderWay { future } = this.call.as_mut().project() else { return };
        if let Poll::Ready((check, answer)) = future.poll(&mut Context::from_waker(this.waker)) {
            *verdict = Some(answer.unwrap_or_else(|error| Verdict::unhealthy(with_sources(&*error))));
            this.call.set(Call::None { check });
        }
    }
}

impl Seat {
    /// That of a check; `waker` is told when its call can go on.
    pub(crate) fn new(check: Arc<dyn HealthCheck>, waker: Waker) -> Self {
        Self(Box::pin(place(check, waker, ask)))
    }

    /// Polls the call under way, or begins one; its verdict, if it has one. That it panics is one, and leaves no seat.
    pub(crate) fn poll(mut self) -> (Option<Self>, Option<Verdict>) {
        let mut verdict = None;
        let Err(panic) = attempt(|| self.0.as_mut().poll(&mut verdict)) else { return (Some(self), verdict) };
        let dropped = attempt(move || drop(self));
        let panics = verdict.is_some().then(|| panic.clone()).into_iter().chain(dropped.err());
        for panic in panics {
            tracing::error!("what is dropped with a health check {panic}");
        }
        (None, verdict.or_else(|| Some(Verdict::unhealthy(panic))))
    }
}
