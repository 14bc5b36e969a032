//! An answer of many items, as they come.

use super::{
    digits::About,
    link::LinkHandle,
    open::{Fault, Many, Open},
};
use crate::{Frame, Kind, RequestError, body::Body, json};
use serde::de::DeserializeOwned;
use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// The items of an answer that has many.
///
/// The server sends no more than are taken: one that is not read holds up nobody else on the connection. Dropping it gives the
/// request up, and lets the server know.
///
/// ```
/// # use daemon_ipc::{Connection, Memory, Reply, Request, Server, from_fn};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = Memory::new();
/// let countdown = from_fn(|mut request: Request| async move {
///     let mut items = request.items()?;
///     for number in (0..request.read::<u32>()?).rev() {
///         items.send(&number).await?;
///     }
///     Ok(Reply::empty())
/// });
/// tokio::spawn(Server::builder(countdown).listen(&place)?.run());
///
/// let connection = Connection::connect(&place).await?;
/// let mut numbers = connection.stream::<_, u32>(&3).await?;
/// while let Some(number) = numbers.next().await {
///     println!("{}", number?); // 2, 1, 0
/// }
/// # Ok(())
/// # }
/// ```
pub struct Replies<A> {
    link: Arc<LinkHandle>,
    number: u64,
    window: u32,
    /// How many items were taken for which no others were asked for.
    taken: u32,
    is_over: bool,
    item: PhantomData<fn() -> A>,
}

impl<A: DeserializeOwned> Replies<A> {
    pub(super) async fn ask(link: Arc<LinkHandle>, body: Body, window: u32) -> Result<Self, RequestError> {
        let number = {
            let mut state = link.lock();
            if let Some(fault) = state.fault() {
                return Err(Fault::Link(fault.clone()).into_error(link.path(), None));
            }
            state.open.insert(Open::Many(Many { window, ..Many::default() }))
        };
        // From here on, dropping it forgets the request; once it is sent, it is given up.
        let mut sending = Sending { replies: Some(Self::new(link, number, window)), body };
        poll_fn(|cx| sending.poll(cx)).await
    }

    fn new(link: Arc<LinkHandle>, number: u64, window: u32) -> Self {
        Self { link, number, window, taken: 0, is_over: false, item: PhantomData }
    }

    /// The next item; `None` when the answer is complete, and after an error.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: the server failed, the connection was lost, or the item is no `A`. An item that is none does not end
    /// the answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no item.
    pub async fn next(&mut self) -> Option<Result<A, RequestError>> {
        loop {
            let frame = match poll_fn(|cx| self.poll_next(cx)).await? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error)),
            };
            if let Some(payload) = frame.payload() {
                return Some(json::read(payload).map_err(RequestError::Reply));
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, RequestError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut guard = self.link.lock();
        let state = &mut *guard;
        let Some(Open::Many(many)) = state.open.get_mut(self.number) else { return Poll::Ready(None) };
        if let Some(frame) = many.items.pop_front() {
            self.taken += 1;
            if many.end.is_none() && self.taken * 2 >= self.window {
                let more = std::mem::take(&mut self.taken);
                let task = self.link.tell(state, Kind::Credit, self.number, Some(more));
                drop(guard);
                task.into_iter().for_each(Waker::wake);
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(end) = many.end.take() else {
            let old = many.waker.replace(cx.waker().clone());
            drop(guard);
            drop(old);
            return Poll::Pending;
        };
        let open = state.open.remove(self.number);
        drop(guard);
        drop(open);
        self.is_over = true;
        Poll::Ready(end.err().map(|fault| Err(fault.into_error(self.link.path(), None))))
    }
}

/// A request on its way.
struct Sending<A> {
    replies: Option<Replies<A>>,
    body: Body,
}

impl<A: DeserializeOwned> Sending<A> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Replies<A>, RequestError>> {
        let Some(replies) = &mut self.replies else { return Poll::Pending };
        let mut guard = replies.link.lock();
        let state = &mut *guard;
        if let Some(fault) = state.fault() {
            return Poll::Ready(Err(Fault::Link(fault.clone()).into_error(replies.link.path(), None)));
        }
        let ask = About { stream: Some(replies.window), ..About::new(Kind::Request, replies.number) };
        let sent = replies.link.send(state, &ask, &mut self.body, cx.waker());
        drop(guard);
        let sent = sent.map_err(RequestError::Request)?;
        sent.wake.into_iter().for_each(Waker::wake);
        match self.replies.take_if(|_| sent.is_sent) {
            Some(replies) => Poll::Ready(Ok(replies)),
            None => Poll::Pending,
        }
    }
}

/// It was not sent: there is nothing to give up.
impl<A> Drop for Sending<A> {
    fn drop(&mut self) {
        if let Some(replies) = &mut self.replies {
            replies.is_over = true;
            replies.link.give_up(replies.number, false);
        }
    }
}

impl<A> Drop for Replies<A> {
    fn drop(&mut self) {
        if !self.is_over {
            self.link.give_up(self.number, true);
        }
    }
}

impl<A> fmt::Debug for Replies<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("number", &self.number).finish_non_exhaustive()
    }
}
