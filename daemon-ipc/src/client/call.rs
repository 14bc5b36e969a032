//! One request and its one answer, as a future.

use super::{
    Timeout,
    digits::About,
    link::Link,
    open::{Fault, One, Open},
};
use crate::{Kind, body::Body, codec::Unread, timer::after};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Dropping it gives the request up.
pub(super) struct Call<'a> {
    link: &'a Link,
    body: Body,
    timeout: Option<Timeout>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    New,
    /// It has a number, and waits until it can be sent.
    Waits(u64),
    Sent(u64),
    Over,
}

impl<'a> Call<'a> {
    pub(super) fn new(link: &'a Link, body: Body, timeout: Option<Timeout>) -> Self {
        Self { link, body, timeout, stage: Stage::New }
    }
}

impl Future for Call<'_> {
    type Output = Result<Unread, Fault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.get_mut();
        let mut guard = call.link.lock();
        let state = &mut *guard;
        let mut wake = [None, None];
        let mut old = None;
        let number = match call.stage {
            Stage::New => {
                if let Some(fault) = state.fault() {
                    return Poll::Ready(Err(Fault::Link(fault.clone())));
                }
                let limit = call.timeout.map(|timeout| timeout.limit);
                let deadline = limit.and_then(|limit| after(state.now(), limit));
                if let Some(until) = deadline {
                    wake[0] = state.arm(until);
                }
                let number = state.open.insert(Open::One(One { waker: None, deadline, outcome: None }));
                call.stage = Stage::Waits(number);
                number
            }
            Stage::Waits(number) | Stage::Sent(number) => number,
            Stage::Over => return Poll::Pending,
        };
        if let Some(Open::One(one)) = state.open.get_mut(number) {
            if let Some(outcome) = one.outcome.take() {
                let open = state.open.remove(number);
                call.stage = Stage::Over;
                drop(guard);
                drop(open);
                return Poll::Ready(outcome);
            }
            if !one.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                old = one.waker.replace(cx.waker().clone());
            }
        }
        if let Stage::Waits(_) = call.stage {
            let deadline = call.timeout.map(|timeout| timeout.milliseconds);
            let ask = About { deadline, ..About::new(Kind::Request, number) };
            match call.link.send(state, &ask, &mut call.body, cx.waker()) {
                Ok(sent) => {
                    wake[1] = sent.wake;
                    call.stage = if sent.is_sent { Stage::Sent(number) } else { call.stage };
                }
                Err(error) => {
                    let open = state.open.remove(number);
                    call.stage = Stage::Over;
                    drop(guard);
                    drop((open, old));
                    // The task was taken for the deadline: it must go on, for those of others.
                    wake.into_iter().flatten().for_each(std::task::Waker::wake);
                    return Poll::Ready(Err(Fault::Request(error)));
                }
            }
        }
        drop(guard);
        drop(old);
        wake.into_iter().flatten().for_each(std::task::Waker::wake);
        Poll::Pending
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Waits(number) => self.link.give_up(number, false),
            Stage::Sent(number) => self.link.give_up(number, true),
            Stage::New | Stage::Over => {}
        }
    }
}
