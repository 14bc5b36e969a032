//! The `const` part of a definition: a daemon's name, what it depends on, what it publishes, and its limits.

use std::any::TypeId;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::policy::{Restart, RestartPolicy};

/// Says of a type that it is a daemon, and which. Written by `#[daemon(..)]` on its struct, or by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a daemon",
    label = "not a daemon",
    note = "write `#[daemon]` above `struct {Self}`"
)]
pub trait Declared: Send + Sync + Sized + 'static {
    /// Name, dependencies and limits.
    const DECLARATION: Declaration;
    /// The name under which the host knows the daemon.
    const NAME: &'static str = Self::DECLARATION.name;
}

/// Which threads a daemon runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Plane {
    /// The workers of its host.
    #[default]
    Workers,
    /// A thread of its own, which it shares with the others of this plane and which no worker can block: for what must answer while user
    /// code blocks. It starts before the workers' daemons, and stops after them and after the shutdown handlers.
    Operations,
}

/// A daemon's name, dependencies and limits, all known at compile time.
///
/// ```
/// use daemon_core::Declaration;
/// use std::time::Duration;
///
/// const CACHE: Declaration = Declaration::new("cache").stop_timeout(Duration::from_secs(2)).optional();
/// assert_eq!(CACHE.name, "cache");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Declaration {
    /// The daemon's name.
    pub name: &'static str,
    /// Daemons that must be running before this one starts, and that stop after it.
    pub requires: &'static [Dependency],
    /// Daemons that settle (running, failed or absent) before this one starts, and that stop after it.
    pub wants: &'static [Dependency],
    /// How long a start may take [60 s].
    pub start_timeout: Option<Duration>,
    /// How long a stop may take at most [5 s].
    pub stop_timeout: Option<Duration>,
    /// Whether the host goes on without this daemon.
    pub optional: bool,
    /// When it is started again after it failed.
    pub restart: RestartPolicy,
    /// The events it publishes; `None` if it does not say. Nothing keeps it from publishing others, which is noticed: see
    /// [`EventAudit::undeclared`](crate::EventAudit::undeclared).
    pub publishes: Option<&'static [Published]>,
    /// Which threads it runs on.
    pub plane: Plane,
}

impl Declaration {
    /// A daemon that depends on nothing, with the default limits.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let restart = RestartPolicy::new(Restart::OnFailure);
        Self {
            name,
            requires: &[],
            wants: &[],
            start_timeout: None,
            stop_timeout: None,
            optional: false,
            restart,
            publishes: None,
            plane: Plane::Workers,
        }
    }

    /// Sets the daemons that must be running first.
    #[must_use]
    pub const fn requires(mut self, requires: &'static [Dependency]) -> Self {
        self.requires = requires;
        self
    }

    /// Sets the daemons that must have settled first, one way or the other.
    #[must_use]
    pub const fn wants(mut self, wants: &'static [Dependency]) -> Self {
        self.wants = wants;
        self
    }

    /// Says which events it publishes, for the audit of events that nobody hears and of handlers that hear nothing.
    #[must_use]
    pub const fn publishes(mut self, events: &'static [Published]) -> Self {
        self.publishes = Some(events);
        self
    }

    /// Sets how long a start may take [60 s].
    #[must_use]
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = Some(timeout);
        self
    }

    /// Sets how long a stop may take at most [5 s].
    #[must_use]
    pub const fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = Some(timeout);
        self
    }

    /// Sets when the daemon is started again after it failed [on failure].
    #[must_use]
    pub const fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// Sets which threads it runs on [the workers].
    ///
    /// An embedded host has one runtime, which all its daemons share; only the order of start and stop is kept there.
    #[must_use]
    pub const fn plane(mut self, plane: Plane) -> Self {
        self.plane = plane;
        self
    }

    /// Lets the host go on when this daemon fails.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// A type of event that a daemon says it publishes.
#[derive(Clone, Copy)]
pub struct Published {
    topic: &'static str,
    type_id: fn() -> TypeId,
    type_name: fn() -> &'static str,
}

impl Published {
    /// Events of type `E`, on its topic; where that is a pattern, on any topic it selects.
    #[must_use]
    pub const fn of<E: Event>() -> Self {
        Self { topic: E::TOPIC, type_id: TypeId::of::<E>, type_name: std::any::type_name::<E> }
    }

    /// The topic or pattern.
    #[must_use]
    pub const fn topic(&self) -> &'static str {
        self.topic
    }

    /// The type.
    #[must_use]
    pub fn type_id(&self) -> TypeId {
        (self.type_id)()
    }

    /// The type's name.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        (self.type_name)()
    }
}

impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Published").field(&self.topic).finish()
    }
}

/// One edge of the dependency graph: a daemon type and, where it has several instances, which of them.
#[derive(Clone, Copy)]
pub struct Dependency {
    name: &'static str,
    named: bool,
    type_id: fn() -> TypeId,
}

impl Dependency {
    /// Depends on the one instance of `D`.
    #[must_use]
    pub const fn on<D: Declared>() -> Self {
        Self { name: D::NAME, named: false, type_id: TypeId::of::<D> }
    }

    /// Depends on the instance of `D` that was added with [`Host::daemon_as`](crate::Host::daemon_as).
    #[must_use]
    pub const fn named<D: Declared>(instance: &'static str) -> Self {
        Self { name: instance, named: true, type_id: TypeId::of::<D> }
    }

    /// The name of the daemon depended on.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether an instance was named.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.named
    }

    /// The type of the daemon depended on.
    #[must_use]
    pub fn type_id(&self) -> TypeId {
        (self.type_id)()
    }
}

impl std::fmt::Debug for Dependency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Dependency").field(&self.name).finish()
    }
}
