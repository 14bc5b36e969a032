//! Events: typed values on topics, carried by `Arc` to every subscription, each with its own bound, policy and exact counts.
//!
//! ```text
//! Publisher ── topic ──> Bus ── Routes ──> Mailbox (one per dispatcher) ──> dispatcher (task) or Subscription
//!                         (tables read          lanes ─ accounts, queues     takes, handles
//!                          without a lock)      one lock
//! ```
//!
//! * Who gets what: `registry` is who subscribes to what, `bus` and `routes` the tables that publishers read, `deliver` the way from
//!   there to the mailboxes, past the `gate` (a `filter`, a `key`) of a subscription. `retained` keeps last events, and `late` gives
//!   them to those who come later.
//! * What waits, and what becomes of it: `plan` says what a mailbox is made of; in `mailbox`, `state`, `life` and `carry` events wait in
//!   a `queue`, which may have a `store` of its own, and are counted on the `account` of each subscription. `woken` has the calls that may go
//!   on.
//! * What a publisher does: `publish`, and `message` is what it sends; `waiting` and `wait_graph` about a full queue; `receipt` is how it learns that its event was
//!   handled, `stall` tells of it where either takes long.
//! * Besides: `subscription` is for events that are pulled, and `ledger` keeps their accounts; `tap` is for looking on; `audit` and
//!   `unheard` find what nobody hears, `undeclared` what nobody said would be published.
//!
//! Not here: how handlers run (the task room), and who starts and stops daemons (the host).

mod account;
mod after;
mod audit;
mod bus;
mod carry;
mod clash;
mod counters;
mod deliver;
mod envelope;
mod error;
#[expect(clippy::module_inception, reason = "the trait's file has the trait's name")]
mod event;
mod filter;
mod gate;
mod key;
mod late;
mod ledger;
mod life;
mod mailbox;
mod message;
mod plan;
mod policy;
mod publish;
mod queue;
mod receipt;
mod registry;
mod retained;
mod routes;
mod span;
mod stall;
mod state;
mod store;
mod subscription;
mod tap;
mod times;
mod topic;
mod undeclared;
mod unheard;
mod wait_graph;
mod waiting;
mod woken;

pub use bus::Bus;
pub(crate) use counters::Progress;
pub use counters::SubscriptionStatus;
pub use envelope::Envelope;
pub use error::{Fate, PublishError, SubscribeError, Unhandled};
pub use event::Event;
pub use filter::Filter;
pub use key::Key;
pub use policy::{Overflow, QueueOptions};
pub use publish::Publisher;
pub use subscription::{Subscription, SubscriptionHandle};
pub use tap::{Tap, Tapped};

pub(crate) use audit::{Listener, Voice, unfed, unheard};
pub(crate) use bus::Registration;
pub(crate) use clash::{TypedTopic, type_clashes};
pub(crate) use event::AnyEvent;
pub(crate) use ledger::{Ledger, Totals};
pub(crate) use life::{Batch, Work};
pub(crate) use mailbox::Mailbox;
pub(crate) use message::Until;
pub(crate) use plan::{LanePlan, MailboxPlan, QueuePlan, SeatPlan};
pub(crate) use publish::{queued, refused};
pub(crate) use receipt::{Tracked, take_out};
pub(crate) use routes::TypeTag;
pub(crate) use span::{Linked, Published};
pub(crate) use stall::Patience;
pub(crate) use state::{Item, Phase, WHOLE_LANE};
pub(crate) use subscription::Handles;
pub(crate) use undeclared::Slip;
pub(crate) use wait_graph::{Node, WaitGraph, Waiter, current as current_caller, next_number, set_current};
pub(crate) use woken::Woken;
