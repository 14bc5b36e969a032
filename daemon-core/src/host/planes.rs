//! Where the daemons of a host run.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use super::workers::build;
use crate::declaration::Plane;

/// The runtime of each plane.
#[derive(Clone, Debug)]
pub(crate) struct Planes {
    workers: Handle,
    /// `None` if nothing of that plane was there when the host began.
    operations: Option<Handle>,
}

/// Makes the runtime of the operations plane: one thread, which nobody else uses.
pub(super) fn operations() -> io::Result<Runtime> {
    build(Builder::new_multi_thread().worker_threads(1).thread_name("daemon-ops").enable_all())
}

impl Planes {
    /// The runtimes of a host that has its own.
    pub(super) fn new(workers: &Handle, operations: Option<&Runtime>) -> Self {
        Self { workers: workers.clone(), operations: operations.map(|runtime| runtime.handle().clone()) }
    }

    /// One runtime for all, as an embedded host has it.
    pub(super) fn shared(runtime: Handle) -> Self {
        Self { operations: Some(runtime.clone()), workers: runtime }
    }

    /// Where the workers' daemons run, and whatever else is user code.
    pub(crate) fn workers(&self) -> &Handle {
        &self.workers
    }

    /// Whether daemons of the plane can run.
    pub(crate) fn has(&self, plane: Plane) -> bool {
        plane != Plane::Operations || self.operations.is_some()
    }

    /// Where the daemons of a plane run.
    pub(crate) fn of(&self, plane: Plane) -> &Handle {
        match plane {
            Plane::Workers => &self.workers,
            Plane::Operations => self.operations.as_ref().unwrap_or(&self.workers),
        }
    }
}
