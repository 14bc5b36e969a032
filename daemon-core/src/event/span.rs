//! Spans of events, for whoever looks at [`TARGET`] at the level of debug: one from when an event is published until the last handler
//! has begun, and one for each call of a handler, or for an event that is pulled, which follows from it.
//!
//! An event that is published in a span goes through queues in a wrapper, as tracked ones do. So it is its publisher who finds out
//! whether anybody looks, at the cost of one load; queues and handlers do nothing for events without spans.
//!
//! The span of a publish is to end, so a retained event is kept in one of its own, which follows from it and which those follow from
//! who get the event late.

use super::event::AnyEvent;
use std::sync::Arc;
use tracing::Span;
use tracing::field::Empty;

/// The target of these spans.
const TARGET: &str = "daemon_core::events";

/// The span that an event was published in, which ends when the last handler has begun; or the one in which it is retained.
#[derive(Debug)]
pub(crate) struct Published {
    span: Span,
    topic: Box<str>,
}

/// An event on its way, with where it was published.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) event: AnyEvent,
    pub(crate) published: Arc<Published>,
}

impl Published {
    /// Whether somebody looks.
    #[inline]
    pub(crate) fn is_looked_at() -> bool {
        tracing::span_enabled!(target: TARGET, tracing::Level::DEBUG)
    }

    /// The span of an event that is published now; `None` if nobody looks.
    pub(crate) fn now(topic: &str, publisher: &str) -> Option<Arc<Self>> {
        Self::is_looked_at().then(|| Self::new(topic, publisher))
    }

    /// It is a root, since a span keeps its parent open and this one ends late; it follows from the one it is made in.
    #[cold]
    fn new(topic: &str, publisher: &str) -> Arc<Self> {
        let span = tracing::debug_span!(
            target: TARGET,
            parent: None,
            "publish",
            daemon = publisher,
            otel.name = format_args!("publish {topic}"),
            otel.kind = "producer",
            messaging.system = "daemon_core",
            messaging.operation.name = "publish",
            "messaging.operation.type" = "send",
            messaging.destination.name = topic,
        );
        span.follows_from(Span::current());
        Arc::new(Self { span, topic: topic.into() })
    }

    /// The span in which the event is kept as the last of its topic: until another takes its place, or its publisher has stopped.
    /// A root, as that of its publish.
    #[cold]
    pub(crate) fn retained(&self, publisher: &str) -> Arc<Self> {
        let span = tracing::debug_span!(
            target: TARGET,
            parent: None,
            "retain",
            daemon = publisher,
            otel.name = format_args!("retain {}", self.topic),
            otel.kind = "internal",
            messaging.system = "daemon_core",
            messaging.operation.name = "retain",
            messaging.destination.name = &*self.topic,
        );
        span.follows_from(&self.span);
        Arc::new(Self { span, topic: self.topic.clone() })
    }

    /// The span of a handler's call.
    pub(crate) fn handled_by(&self, daemon: &str, handler: &str) -> Span {
        self.taken(("handle", "process"), daemon, handler)
    }

    /// The span of an event that `daemon` pulls out of a subscription to a topic or pattern.
    #[cold]
    pub(crate) fn pulled_by(&self, daemon: &str, pattern: &str) -> Span {
        self.taken(("receive", "receive"), daemon, pattern)
    }

    fn taken(&self, (does, kind): (&str, &str), daemon: &str, handler: &str) -> Span {
        let span = tracing::debug_span!(
            target: TARGET,
            "event",
            daemon,
            handler,
            otel.name = format_args!("{kind} {}", self.topic),
            otel.kind = "consumer",
            otel.status_code = Empty,
            "error.type" = Empty,
            messaging.system = "daemon_core",
            messaging.operation.name = does,
            "messaging.operation.type" = kind,
            messaging.destination.name = &*self.topic,
            messaging.destination.subscription.name = format_args!("{daemon}.{handler}"),
        );
        span.follows_from(&self.span);
        span
    }
}

impl Linked {
    pub(crate) fn wrap(event: AnyEvent, published: &Arc<Published>) -> AnyEvent {
        Arc::new(Self { event, published: published.clone() })
    }

    /// The event itself, if it has a span or not.
    pub(crate) fn inside(event: &AnyEvent) -> &AnyEvent {
        event.downcast_ref::<Self>().map_or(event, |linked| &linked.event)
    }

    /// The event itself, and where it was published.
    pub(crate) fn take_out(event: AnyEvent) -> (AnyEvent, Option<Arc<Published>>) {
        match event.downcast::<Self>() {
            Ok(linked) => (linked.event.clone(), Some(linked.published.clone())),
            Err(event) => (event, None),
        }
    }
}
