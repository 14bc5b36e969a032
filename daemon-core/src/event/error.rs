//! Why an event was not published, or a subscription not made.

use std::fmt;

/// What became of an event that a subscription did not handle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// Its handler, or its filter, failed: with this error or panic.
    Failed(String),
    /// There was no room for it, or it had to make room for another.
    Dropped,
    /// The subscriber has stopped or failed.
    Abandoned,
    /// It is queued, but was not waited for: its handler waits itself for this publish, or cannot run before the publisher does.
    WouldDeadlock,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) => write!(f, "failed: {reason}"),
            Self::Dropped => f.write_str("dropped"),
            Self::Abandoned => f.write_str("abandoned"),
            Self::WouldDeadlock => f.write_str("it would wait for this publish"),
        }
    }
}

/// A subscription that was offered an event and did not handle it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unhandled {
    /// The subscription, as `daemon.handler`.
    pub subscription: String,
    /// What became of the event there.
    pub fate: Fate,
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.subscription, self.fate)
    }
}

/// The subscriptions, as a list.
fn list(unhandled: &[Unhandled]) -> String {
    unhandled.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Why an event did not reach every subscription it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The wait for room could only be ended by the waiter itself: its own queue, or a cycle of handlers that wait for
    /// each other. The event was dropped for that subscription; every other one got it.
    #[error(
        "`{publisher}` would wait for ever for room in `{subscription}`; raise its capacity, let it drop, or publish \
         from a task"
    )]
    WouldDeadlock {
        /// The publisher.
        publisher: String,
        /// The full subscription, as `daemon.handler`.
        subscription: String,
    },
    /// A subscription that makes publishers wait was full, and this publish does not wait. Every other one got it.
    #[error("`{subscription}` is full; use `publish` to wait for it")]
    Full {
        /// The full subscription, as `daemon.handler`.
        subscription: String,
    },
    /// Of those that a publish waited for, some did not handle the event.
    #[error("not handled by {}", list(unhandled))]
    Unhandled {
        /// How many subscriptions handled it.
        handled: usize,
        /// Those that did not, and what became of it there.
        unhandled: Vec<Unhandled>,
    },
    /// The topic's subscribers expect another type. Nobody got the event.
    #[error("`{topic}` carries {expected}, not {found}")]
    TypeMismatch {
        /// The topic.
        topic: String,
        /// The type its subscribers expect.
        expected: &'static str,
        /// The type that was published.
        found: &'static str,
    },
    /// The event's own topic is a pattern. Nobody got the event.
    #[error("`{topic}` is a pattern; name the topic with `publish_to`")]
    PatternTopic {
        /// The pattern.
        topic: String,
    },
    /// The topic is malformed. Nobody got the event.
    #[error("{reason}")]
    InvalidTopic {
        /// What was given.
        topic: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The publisher has been cleaned up. Nobody got the event.
    #[error("`{daemon}` is stopping and publishes no more")]
    Stopping {
        /// The publisher.
        daemon: String,
    },
}

impl PublishError {
    /// Whether a subscription was full (and waiting refused, or hopeless); other subscriptions got the event.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::WouldDeadlock { .. })
    }

    /// Whether waiting would never have ended.
    pub fn is_would_deadlock(&self) -> bool {
        match self {
            Self::WouldDeadlock { .. } => true,
            Self::Unhandled { unhandled, .. } => unhandled.iter().any(|by| by.fate == Fate::WouldDeadlock),
            _ => false,
        }
    }

    /// Whether some subscription did not handle an event whose publisher waited for that.
    pub fn is_unhandled(&self) -> bool {
        matches!(self, Self::Unhandled { .. })
    }

    /// Whether the publisher was stopping.
    pub fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping { .. })
    }

    /// Whether the topic or the type was wrong: a fault of the program, the same at the next try.
    pub fn is_misuse(&self) -> bool {
        matches!(self, Self::TypeMismatch { .. } | Self::PatternTopic { .. } | Self::InvalidTopic { .. })
    }
}

/// Why a subscription was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The topic or pattern is malformed.
    #[error("{reason}")]
    InvalidPattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another subscription expects another type on this topic.
    #[error("`{topic}` carries {expected}, not {found}")]
    TypeMismatch {
        /// The topic.
        topic: String,
        /// The type its subscribers expect.
        expected: &'static str,
        /// The type asked for.
        found: &'static str,
    },
    /// The key is a part of another type than the subscription takes.
    #[error("`{subscription}` takes {expected}, and its key is a part of {found}; let both be of the same")]
    KeyMismatch {
        /// The subscription, as `daemon.handler`.
        subscription: String,
        /// The type it takes.
        expected: &'static str,
        /// The type of which its key is a part.
        found: &'static str,
    },
    /// Handlers that share a queue disagree on it.
    #[error("{reason}")]
    QueueMismatch {
        /// The name of the queue.
        queue: String,
        /// In what they disagree, and what to do.
        reason: String,
    },
    /// The filter is for another type than the subscription.
    #[error("`{subscription}` takes {expected}, and its filter {found}; let both take the same")]
    FilterMismatch {
        /// The subscription, as `daemon.handler`.
        subscription: String,
        /// The type it takes.
        expected: &'static str,
        /// The type its filter takes.
        found: &'static str,
    },
    /// The subscriber is stopping.
    #[error("`{daemon}` is stopping and subscribes no more")]
    Stopping {
        /// The subscriber.
        daemon: String,
    },
}

impl SubscribeError {
    /// Whether the subscriber was stopping.
    pub fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping { .. })
    }
}
