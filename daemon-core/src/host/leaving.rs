//! Values on their way out. A destructor is user code: it runs where its daemon ran, and whoever waits for it need not wait for ever.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use super::planes::Planes;
use crate::declaration::Plane;
use crate::status::{TaskKind, TaskStatus};
use crate::task::{Label, Owner, Tasks};

/// The values of one host that are being dropped, each under its daemon's name.
#[derive(Debug, Default)]
pub(super) struct Leaving(OnceLock<Places>);

#[derive(Debug)]
struct Places {
    planes: Planes,
    workers: Arc<Tasks>,
    operations: Arc<Tasks>,
}

impl Places {
    fn all(&self) -> [(Plane, &Arc<Tasks>); 2] {
        [(Plane::Workers, &self.workers), (Plane::Operations, &self.operations)]
    }
}

impl Leaving {
    /// Says where daemons run. Before that none has a value.
    pub(super) fn run_on(&self, planes: &Planes) {
        let tasks = |plane| Tasks::new(planes.of(plane).clone(), Owner::nobody());
        let places =
            || Places { planes: planes.clone(), workers: tasks(Plane::Workers), operations: tasks(Plane::Operations) };
        let _: &Places = self.0.get_or_init(places);
    }

    /// Whether daemons of the plane can run, as far as is known.
    pub(super) fn takes(&self, plane: Plane) -> bool {
        self.0.get().is_none_or(|places| places.planes.has(plane))
    }

    /// Drops a value of the daemon `name`. The future ends when it is gone; until then it [is shown](Self::statuses).
    pub(super) fn let_go(
        &self,
        plane: Plane,
        name: &str,
        drop: Box<dyn FnOnce() + Send>,
    ) -> impl Future<Output = ()> + use<> {
        let leaving = self.tasks(Some(plane)).next().and_then(|tasks| {
            let label = Label::new(TaskKind::Destructor, name);
            tasks.spawn_with(label, Notify::new(), |_| async move { drop() })
        });
        async move {
            // Never closed: it cannot be refused.
            if let Some(leaving) = leaving {
                leaving.end.notified().await;
            }
        }
    }

    /// Waits until no value is being dropped any more.
    pub(super) async fn all_gone(&self) {
        for tasks in self.tasks(None) {
            tasks.idle(&|_| true).await;
        }
    }

    /// The values that are being dropped, under the names of their daemons.
    pub(super) fn statuses(&self) -> Vec<TaskStatus> {
        self.tasks(None).flat_map(|tasks| tasks.statuses()).collect()
    }

    /// The daemons whose values a thread is dropping right now.
    pub(super) fn under_way(&self) -> Vec<String> {
        let mut names: Vec<_> = self.polled(None).into_iter().map(|(_, value)| value.name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Of these, those that a thread is dropping right now; of one plane, or of all.
    pub(super) fn polled(&self, only: Option<Plane>) -> Vec<(u64, TaskStatus)> {
        self.tasks(only).flat_map(|tasks| tasks.polled()).collect()
    }

    fn tasks(&self, only: Option<Plane>) -> impl Iterator<Item = &Arc<Tasks>> {
        let all = self.0.get().map(Places::all).into_iter().flatten();
        all.filter(move |(plane, _)| only.is_none_or(|only| only == *plane)).map(|(_, tasks)| tasks)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::host::planes;
    use crate::host::workers::runtime;

    #[test]
    fn whose_destructors_are_under_way_is_told_by_name_and_by_plane() {
        let ((workers, _), operations) = (runtime(3).unwrap(), planes::operations().unwrap());
        let leaving = Leaving::default();
        assert!(leaving.takes(Plane::Operations), "nobody knows yet");
        leaving.run_on(&Planes::new(workers.handle(), Some(&operations)));
        assert!(leaving.takes(Plane::Operations));
        let (begun, end) = (Arc::new(Barrier::new(5)), Arc::new(Barrier::new(5)));
        let values = [(Plane::Workers, "b"), (Plane::Workers, "a"), (Plane::Workers, "b"), (Plane::Operations, "c")];
        for (plane, name) in values {
            let (begun, end) = (begun.clone(), end.clone());
            let destructor = move || {
                begun.wait();
                end.wait();
            };
            drop(leaving.let_go(plane, name, Box::new(destructor)));
        }
        begun.wait();
        let (under_way, all, polled) =
            (leaving.under_way(), leaving.statuses().len(), leaving.polled(Some(Plane::Operations)));
        end.wait(); // before anything is asserted: what blocks would hold up a failure, too
        assert_eq!((under_way, all), (["a", "b", "c"].map(str::to_owned).to_vec(), 4));
        assert_eq!(polled.iter().map(|(_, value)| &*value.name).collect::<Vec<_>>(), ["c"]);

        let leaving = Leaving::default();
        leaving.run_on(&Planes::new(workers.handle(), None));
        assert!(!leaving.takes(Plane::Operations) && leaving.takes(Plane::Workers));
    }
}
