//! A channel and a task for each subscriber.

use std::collections::HashMap;
use std::sync::Arc;

use benches::{Subscriber, UserCreated};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use crate::contender::{CAPACITY, Contender};

type Shared = Arc<UserCreated>;

/// A contender that keeps a sender for each subscriber: how a pair is made and served, and how it is sent to.
macro_rules! channel {
    ($(#[$doc:meta])* $name:ident($sender:ty): $serve:expr, |$to:ident, $event:ident| $send:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            all: Vec<$sender>,
            named: HashMap<String, $sender>,
        }

        impl Contender for $name {
            async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
                Self { all: subscribers.iter().cloned().map($serve).collect(), named: HashMap::new() }
            }

            async fn publish(&mut self, event: UserCreated) {
                let event = Arc::new(event);
                for $to in &self.all {
                    let $event = event.clone();
                    $send;
                }
            }

            async fn topics(names: &[String], subscribers: &[Arc<Subscriber>]) -> Option<Self> {
                let named = names.iter().cloned().zip(subscribers.iter().cloned().map($serve)).collect();
                Some(Self { all: Vec::new(), named })
            }

            async fn publish_to(&mut self, _: usize, name: &str, event: UserCreated) {
                let ($to, $event) = (&self.named[name], Arc::new(event));
                $send;
            }
        }
    };
}

fn serve(subscriber: Arc<Subscriber>) -> mpsc::Sender<Shared> {
    let (sender, mut events) = mpsc::channel::<Shared>(CAPACITY);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            subscriber.on_event_async(&event).await;
        }
    });
    sender
}

fn serve_in_batches(subscriber: Arc<Subscriber>) -> mpsc::Sender<Shared> {
    let (sender, mut events) = mpsc::channel::<Shared>(CAPACITY);
    tokio::spawn(async move {
        let mut batch = Vec::with_capacity(64);
        while events.recv_many(&mut batch, 64).await > 0 {
            for event in batch.drain(..) {
                subscriber.on_event_async(&event).await;
            }
        }
    });
    sender
}

fn serve_suspending(subscriber: Arc<Subscriber>) -> mpsc::Sender<Shared> {
    let (sender, mut events) = mpsc::channel::<Shared>(CAPACITY);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            subscriber.on_event_later(&event).await;
        }
    });
    sender
}

fn serve_kanal(subscriber: Arc<Subscriber>) -> kanal::AsyncSender<Shared> {
    let (sender, events) = kanal::bounded_async::<Shared>(CAPACITY);
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            subscriber.on_event_async(&event).await;
        }
    });
    sender
}

fn serve_broadcast(sender: &broadcast::Sender<Shared>, subscriber: Arc<Subscriber>) {
    let mut events = sender.subscribe();
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => subscriber.on_event_async(&event).await,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

channel! {
    /// `send().await` for each event: the reference.
    Mpsc(mpsc::Sender<Shared>): serve, |to, event| drop(to.send(event).await)
}
channel! {
    /// `try_send` and `recv_many`: the fastest way to use it, which loses events when a queue is full.
    MpscTry(mpsc::Sender<Shared>): serve_in_batches, |to, event| drop(to.try_send(event))
}
channel! {
    /// The reference with handlers that suspend once.
    MpscSuspending(mpsc::Sender<Shared>): serve_suspending, |to, event| drop(to.send(event).await)
}
channel! {
    Kanal(kanal::AsyncSender<Shared>): serve_kanal, |to, event| drop(to.send(event).await)
}

/// One ring of so many events for all; a subscriber that is too slow loses events.
#[derive(Clone)]
pub struct Broadcast<const ROOM: usize = CAPACITY> {
    all: broadcast::Sender<Shared>,
    named: HashMap<String, broadcast::Sender<Shared>>,
}

impl<const ROOM: usize> Contender for Broadcast<ROOM> {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        let (all, _) = broadcast::channel(ROOM);
        for subscriber in subscribers {
            serve_broadcast(&all, subscriber.clone());
        }
        Self { all, named: HashMap::new() }
    }

    async fn publish(&mut self, event: UserCreated) {
        drop(self.all.send(Arc::new(event)));
    }

    async fn topics(names: &[String], subscribers: &[Arc<Subscriber>]) -> Option<Self> {
        let mut topics = Self::one_topic(&[]).await;
        for (name, subscriber) in names.iter().zip(subscribers) {
            let (sender, _) = broadcast::channel(CAPACITY);
            serve_broadcast(&sender, subscriber.clone());
            topics.named.insert(name.clone(), sender);
        }
        Some(topics)
    }

    async fn publish_to(&mut self, _: usize, name: &str, event: UserCreated) {
        drop(self.named[name].send(Arc::new(event)));
    }
}
