//! The limit: calling functions. Nothing is queued, nothing is isolated.

use std::collections::HashMap;
use std::sync::Arc;

use benches::{Subscriber, UserCreated};

use crate::contender::Contender;

type Handler = Arc<dyn Fn(&UserCreated) + Send + Sync>;

pub struct Direct {
    all: Vec<Handler>,
    named: HashMap<String, Handler>,
}

fn handlers(subscribers: &[Arc<Subscriber>]) -> impl Iterator<Item = Handler> {
    subscribers
        .iter()
        .cloned()
        .map(|subscriber| Arc::new(move |event: &UserCreated| subscriber.on_event(event)) as Handler)
}

impl Contender for Direct {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        Self { all: handlers(subscribers).collect(), named: HashMap::new() }
    }

    async fn publish(&mut self, event: UserCreated) {
        let event = Arc::new(event);
        for handler in &self.all {
            handler(&event);
        }
    }

    async fn topics(names: &[String], subscribers: &[Arc<Subscriber>]) -> Option<Self> {
        let named = names.iter().cloned().zip(handlers(subscribers)).collect();
        Some(Self { all: Vec::new(), named })
    }

    async fn publish_to(&mut self, _: usize, name: &str, event: UserCreated) {
        self.named[name](&Arc::new(event));
    }
}
