//! Stand-in until the dispatcher lands.
#![allow(missing_docs, missing_debug_implementations, dead_code)]
use crate::error::Result;
use crate::event::{Envelope, Event, Overflow};
use std::{future::Future, marker::PhantomData, pin::Pin, sync::Arc};
pub trait Handler<E>: Send {}
struct Place<H>(H);
impl<E, H: Send> Handler<E> for (Place<H>, PhantomData<fn(E)>) {}
pub fn place<'d, E, H, F>(handler: H) -> Pin<Box<dyn Handler<E> + Send + 'd>>
where
    E: 'd,
    H: Fn(Arc<E>) -> F + Send + 'd,
    F: Future<Output = (Arc<E>, Result<()>)> + Send + 'd,
{
    Box::pin((Place(handler), PhantomData))
}
pub type Attach<D, C, E> = for<'d> fn(&'d D, &'d C) -> Pin<Box<dyn Handler<E> + Send + 'd>>;
pub struct EventHandler<D, C>(&'static str, PhantomData<fn(D, C)>);
impl<D, C> EventHandler<D, C> {
    pub fn typed<E: Event>(name: &'static str, _: Attach<D, C, E>) -> Self {
        Self(name, PhantomData)
    }
    pub fn envelope(name: &'static str, _pattern: &'static str, _: Attach<D, C, Envelope>) -> Self {
        Self(name, PhantomData)
    }
    pub fn capacity(self, _: usize) -> Self {
        self
    }
    pub fn startup(self, _: usize) -> Self {
        self
    }
    pub fn overflow(self, _: Overflow) -> Self {
        self
    }
}
impl<D, C> std::fmt::Debug for Handlers<D, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handlers")
    }
}
pub struct Handlers<D, C>(Vec<(&'static str, PhantomData<fn(D, C)>)>);
impl<D, C> Handlers<D, C> {
    pub fn new() -> Self {
        Self(Vec::new())
    }
    pub fn push(&mut self, row: EventHandler<D, C>) {
        self.0.push((row.0, row.1));
    }
}
