//! A daemon with its type erased: how the host makes its value and calls into it.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::factory::Source;
use super::lived::LivedOf;
use super::references::Known;
use super::reload::Step;
use crate::BoxFuture;
use crate::call::{CallError, Carried};
use crate::configuration::Configuration;
use crate::context::{AnyDaemon, Context, Life};
use crate::daemon::DaemonBase;
use crate::declaration::{Declaration, Dependency};
use crate::definition::{CheckOptions, CommandOutline, Definition};
use crate::error::{Error, Result};
use crate::event::{Bus, Listener, SubscribeError, SubscriptionStatus, TypedTopic};
use crate::policy::{OnError, RestartPolicy};
use crate::status::{CheckKind, TaskKind};
use crate::task::{Failure, Handlers, Wiring, attempt};

/// What can be said of a definition without its type.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    /// The topics of the event handlers, with the type each takes.
    pub(crate) topics: Vec<TypedTopic>,
    /// What the event handlers listen to.
    pub(crate) listeners: Vec<Listener>,
    /// What is wrong with the event handlers.
    pub(crate) handler_faults: Vec<String>,
    pub(crate) ready: Vec<Dependency>,
    /// The intervals, with what is wrong with each.
    pub(crate) intervals: Vec<(&'static str, Option<String>)>,
    pub(crate) deferred: Vec<&'static str>,
    pub(crate) tasks: Vec<(&'static str, RestartPolicy)>,
    pub(crate) checks: Vec<(&'static str, CheckOptions)>,
    pub(crate) commands: Vec<CommandOutline>,
}

impl Outline {
    /// What others name it by.
    pub(super) fn known(&self, name: &Arc<str>) -> Known {
        Known { name: name.clone(), type_id: self.type_id, type_name: self.type_name }
    }
}

/// A daemon in a host.
pub(crate) trait Unit: Send + Sync {
    fn name(&self) -> &Arc<str>;
    fn declaration(&self) -> &Declaration;
    fn outline(&self) -> Outline;
    /// Subscribes the daemon's handlers, once, for all its lives.
    fn subscribe(&self, bus: &Arc<Bus>) -> Result<Arc<dyn Intake>, SubscribeError>;
    /// Whether each life has a value of its own.
    fn is_made_anew(&self) -> bool;
    /// Makes the value of the next life.
    fn value(&self) -> BoxFuture<'static, Result<Box<dyn Lived>>>;
    /// Lets go of the value that lives through restarts; the error is a panic in its destructor.
    fn release(&self) -> Result<(), Failure>;
}

/// The events of a daemon, through all its lives.
pub(crate) trait Intake: Send + Sync {
    /// Keeps new events for the next life.
    fn buffer(&self);
    /// As [`buffer`](Self::buffer), beginning with the retained events that were missed; `anew`: with all, for the next life is that of
    /// another value.
    fn begin(&self, anew: bool);
    /// Takes no new event; what is queued is still delivered.
    fn drain(&self);
    /// Abandons what is queued.
    fn close(&self);
    /// The account of every handler.
    fn statuses(&self) -> Vec<SubscriptionStatus>;
}

impl<D: Send + Sync + 'static> Intake for Wiring<D, Context> {
    fn buffer(&self) {
        Self::buffer(self);
    }

    fn begin(&self, anew: bool) {
        Self::begin(self, anew);
    }

    fn drain(&self) {
        Self::drain(self);
    }

    fn close(&self) {
        Self::close(self);
    }

    fn statuses(&self) -> Vec<SubscriptionStatus> {
        self.status()
    }
}

/// A daemon's value in one life.
pub(crate) trait Lived: Send + Sync {
    fn any(&self) -> AnyDaemon;
    fn hook(&self, which: TaskKind, cx: Context) -> BoxFuture<'static, Result<()>>;
    /// Asks the daemon whether it could take `next` on, or has it do so.
    fn reload(&self, step: Step, next: Configuration, cx: Context) -> BoxFuture<'static, Result<()>>;
    /// What delivers events to the daemon's handlers until its intake is drained: the common dispatcher, then each that is
    /// isolated, by the name of its handler or queue.
    fn dispatch(&self, cx: Context) -> Vec<(Option<&'static str>, BoxFuture<'static, ()>)>;
    /// Asks the daemon, which is initialised, for what its rows leave to it.
    fn ask(&self);
    /// Registers what begins once the daemon is ready.
    fn begin(&self, life: &Arc<Life>) -> Result<(), Error>;
    fn command(
        &self,
        name: &str,
        request: Carried,
        cx: Context,
    ) -> Option<BoxFuture<'static, Result<Carried, CallError>>>;
    /// The calls of the checks that `of` picks.
    fn checks(&self, cx: &Context, of: &dyn Fn(&str) -> bool) -> Vec<BoundCheck>;
}

/// A health check, ready to run.
pub(crate) struct BoundCheck {
    pub(crate) name: &'static str,
    pub(crate) kind: CheckKind,
    pub(crate) soft: bool,
    pub(crate) timeout: Duration,
    pub(crate) run: BoxFuture<'static, Result<()>>,
}

/// A daemon of type `D` in a host.
pub(crate) struct UnitOf<D> {
    name: Arc<str>,
    definition: Arc<Definition<D>>,
    topics: Vec<TypedTopic>,
    listeners: Vec<Listener>,
    handler_faults: Vec<String>,
    /// What a failure of each event handler leads to.
    on_error: Arc<HashMap<&'static str, OnError>>,
    handlers: Mutex<Option<Handlers<D, Context>>>,
    wiring: Arc<OnceLock<Arc<Wiring<D, Context>>>>,
    source: Arc<Source<D>>,
}

impl<D: DaemonBase> UnitOf<D> {
    pub(crate) fn new(name: &str, source: Source<D>) -> Self {
        let mut definition = Definition::of();
        let handlers = std::mem::take(&mut definition.events);
        Self {
            name: name.into(),
            topics: handlers.typed_topics(name).collect(),
            listeners: handlers.listeners(name).collect(),
            handler_faults: handlers.faults(name).iter().map(ToString::to_string).collect(),
            on_error: Arc::new(handlers.iter().map(|row| (row.name(), row.failure_policy())).collect()),
            handlers: Mutex::new(Some(handlers)),
            wiring: Arc::default(),
            definition: Arc::new(definition),
            source: Arc::new(source),
        }
    }
}

impl<D: DaemonBase> Unit for UnitOf<D> {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn declaration(&self) -> &Declaration {
        &self.definition.declaration
    }

    fn outline(&self) -> Outline {
        let definition = &self.definition;
        Outline {
            type_id: TypeId::of::<D>(),
            type_name: std::any::type_name::<D>(),
            topics: self.topics.clone(),
            listeners: self.listeners.clone(),
            handler_faults: self.handler_faults.clone(),
            ready: definition.ready.iter().map(|row| row.of).collect(),
            intervals: definition.intervals.iter().map(|row| (row.name, row.fault())).collect(),
            deferred: definition.deferred.iter().map(|row| row.name).collect(),
            tasks: definition.tasks.iter().map(|row| (row.name, row.restart)).collect(),
            checks: definition.checks.iter().map(|row| (row.name, row.options.clone())).collect(),
            commands: definition.commands.iter().map(|row| row.outline).collect(),
        }
    }

    fn subscribe(&self, bus: &Arc<Bus>) -> Result<Arc<dyn Intake>, SubscribeError> {
        let handlers = self.handlers.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        let wiring = Arc::new(handlers.register(bus, &self.name)?);
        let _: &Arc<_> = self.wiring.get_or_init(|| wiring.clone());
        Ok(wiring)
    }

    fn is_made_anew(&self) -> bool {
        matches!(*self.source, Source::Factory(_))
    }

    fn value(&self) -> BoxFuture<'static, Result<Box<dyn Lived>>> {
        let (definition, source, wiring) = (self.definition.clone(), self.source.clone(), self.wiring.clone());
        let on_error = self.on_error.clone();
        Box::pin(async move {
            let daemon = match &*source {
                Source::Factory(make) => Arc::new(make().await?),
                Source::Value(value) => {
                    let value = value.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    value.ok_or("the host has stopped")?
                }
            };
            let lived: Box<dyn Lived> = Box::new(LivedOf::new(daemon, definition, wiring, on_error));
            Ok(lived)
        })
    }

    fn release(&self) -> Result<(), Failure> {
        let Source::Value(value) = &*self.source else { return Ok(()) };
        let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
        attempt(|| drop(value))
    }
}
