//! One request and its one answer, as a future.

use super::{
    Timeout,
    digits::About,
    link::Link,
    open::{Asked, Fault, One, Open},
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
        // The task, if it was taken: it must go on, for the deadlines and the requests of others.
        let mut task = None;
        let mut old = None;
        let number = match call.stage {
            Stage::New => {
                if let Some(fault) = state.fault() {
                    return Poll::Ready(Err(Fault::Link(fault.clone())));
                }
                let deadline = call.timeout.and_then(|timeout| after(state.now(), timeout.limit));
                task = deadline.and_then(|until| state.arm(until));
                let number = state.open.insert(Open::One(One::new(cx.waker(), deadline)));
                call.stage = Stage::Waits(number);
                number
            }
            Stage::Waits(number) | Stage::Sent(number) => match state.open.poll_one(number, cx.waker()) {
                Asked::Answered(outcome, open) => {
                    call.stage = Stage::Over;
                    drop(guard);
                    drop(open);
                    return Poll::Ready(outcome);
                }
                Asked::Waits(replaced) => {
                    old = replaced;
                    number
                }
            },
            Stage::Over => return Poll::Pending,
        };
        let mut failed = None;
        if let Stage::Waits(_) = call.stage {
            let deadline = call.timeout.map(|timeout| timeout.key);
            let ask = About { deadline, ..About::new(Kind::Request, number) };
            match call.link.send(state, &ask, &mut call.body, cx.waker()) {
                Ok(sent) => {
                    task = sent.wake.or(task);
                    call.stage = if sent.is_sent { Stage::Sent(number) } else { call.stage };
                }
                Err(error) => {
                    failed = Some((error, state.open.remove(number)));
                    call.stage = Stage::Over;
                }
            }
        }
        drop(guard);
        drop(old);
        if let Some(task) = task {
            task.wake();
        }
        match failed {
            Some((error, _)) => Poll::Ready(Err(Fault::Request(error))),
            None => Poll::Pending,
        }
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
