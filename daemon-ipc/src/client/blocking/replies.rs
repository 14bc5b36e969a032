//! An answer of many items, as an iterator.

use super::{Connection, WINDOW, until::Until};
use crate::{Kind, RequestError, json};
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// The items of an answer that has many, as an iterator. The server sends no more than are taken. Dropping it gives the request up.
#[derive(Debug)]
pub struct Replies<'a, A> {
    connection: &'a mut Connection,
    number: u64,
    taken: u32,
    is_over: bool,
    item: PhantomData<fn() -> A>,
}

impl<'a, A: DeserializeOwned> Replies<'a, A> {
    pub(super) fn new(connection: &'a mut Connection, number: u64) -> Self {
        Self { connection, number, taken: 0, is_over: false, item: PhantomData }
    }

    fn take(&mut self) -> Result<Option<A>, RequestError> {
        let (frame, more) =
            self.connection.answer(self.number, &Until::of(None)).inspect_err(|_| self.is_over = true)?;
        self.is_over = !more;
        self.taken += 1;
        if more && self.taken * 2 >= WINDOW {
            let taken = std::mem::take(&mut self.taken);
            self.connection.tell(Kind::Credit, self.number, Some(taken)).inspect_err(|_| self.is_over = true)?;
        }
        frame.payload().map(json::read).transpose().map_err(RequestError::Reply)
    }
}

/// An item that is no `A` is an error, and does not end the answer; every other error does.
impl<A: DeserializeOwned> Iterator for Replies<'_, A> {
    type Item = Result<A, RequestError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            if let Some(item) = self.take().transpose() {
                return Some(item);
            }
        }
        None
    }
}

impl<A> Drop for Replies<'_, A> {
    fn drop(&mut self) {
        let connection = &mut *self.connection;
        if !self.is_over && !connection.is_over && connection.greeting.gives_up(self.number) {
            // If that cannot be said, the connection is over, and the server hears of that.
            connection.is_over |= connection.tell(Kind::Cancel, self.number, None).is_err();
        }
    }
}
