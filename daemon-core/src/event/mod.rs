//! Events: typed values on topics, carried by `Arc` to every subscription, each with its own bound, policy and exact counts.
//!
//! ```text
//! Publisher ── topic ──> Bus ── Routes ──> Mailbox (one per daemon) ──> dispatcher (task) or Subscription
//!                         (tables read          lanes ─ queues            takes, handles
//!                          without a lock)      one lock
//! ```
//!
//! `bus` and `routes` know who gets what; `mailbox`, `state`, `queue`, `life` and `carry` what waits, and what becomes of it; `publish`, `waiting`
//! and `wait_graph` what a publisher does about a full queue; `subscription` is for events that are pulled.
//!
//! Not here: how handlers run (the task room), and who starts and stops daemons (the host).

mod after;
mod audit;
mod bus;
mod carry;
mod clash;
mod counters;
mod envelope;
mod error;
#[expect(clippy::module_inception, reason = "the trait's file has the trait's name")]
mod event;
mod filter;
mod life;
mod mailbox;
mod policy;
mod publish;
mod queue;
mod routes;
mod stall;
mod state;
mod subscription;
mod topic;
mod unheard;
mod wait_graph;
mod waiting;

pub use bus::Bus;
pub use counters::SubscriptionStatus;
pub use envelope::Envelope;
pub use error::{PublishError, SubscribeError};
pub use event::Event;
pub use filter::Filter;
pub use policy::{Overflow, QueueOptions};
pub use publish::Publisher;
pub use subscription::{Subscription, SubscriptionHandle};

pub(crate) use audit::{Listener, Voice, unfed, unheard};
pub(crate) use bus::Registration;
pub(crate) use clash::{TypedTopic, type_clashes};
pub(crate) use event::AnyEvent;
pub(crate) use life::{Batch, Work};
pub(crate) use mailbox::{LanePlan, Mailbox};
pub(crate) use routes::TypeTag;
pub(crate) use state::{Item, Phase, WHOLE_LANE};
pub(crate) use wait_graph::{Node, current as current_handler, set_current};
