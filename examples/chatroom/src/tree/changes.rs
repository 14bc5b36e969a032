//! The edge to the operating system's file notifications: which paths changed since they were last asked for.
//!
//! A notification is only a hint to look again, so the paths are a set, bounded: past the bound, or when the system
//! itself lost count, the answer is "everything". Nothing is lost by a burst and nothing waits for a reader.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Paths remembered one by one; a change of more than this is a change of everything.
const REMEMBERED: usize = 16_384;

/// One watch per directory where the system has it so, which spares the directories that are left out.
const PER_DIRECTORY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// What to look at again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Dirty {
    Paths(BTreeSet<PathBuf>),
    Everything,
}

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Changes {
    watcher: Mutex<RecommendedWatcher>,
    pending: Arc<Pending>,
}

#[derive(Debug)]
struct Pending {
    dirty: Mutex<Dirty>,
    some: Notify,
}

impl Changes {
    /// Starts watching `root`; on systems with one watch per directory its directories are added by [`add`](Self::add).
    pub(crate) fn start(root: &Path) -> notify::Result<Self> {
        let pending = Arc::new(Pending { dirty: Mutex::new(Dirty::Paths(BTreeSet::new())), some: Notify::new() });
        let told = pending.clone();
        let mut watcher = notify::recommended_watcher(move |event| told.note(event))?;
        if !PER_DIRECTORY {
            watcher.watch(root, RecursiveMode::Recursive)?;
        }
        Ok(Self { watcher: Mutex::new(watcher), pending })
    }

    /// Watches one more directory. One that is gone already is no error, as there is nothing to watch; nor is one that may
    /// not be read, as the walk tells of it.
    pub(crate) fn add(&self, directory: &Path) -> notify::Result<()> {
        if !PER_DIRECTORY {
            return Ok(());
        }
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        match watcher.watch(directory, RecursiveMode::NonRecursive) {
            Err(error) if is_harmless(&error) => Ok(()),
            other => other,
        }
    }

    /// Waits for a change and takes all there are. Cancel safe: what is not taken stays.
    pub(crate) async fn next(&self) -> Dirty {
        loop {
            let some = self.pending.some.notified();
            if let Some(dirty) = self.pending.take() {
                return dirty;
            }
            some.await;
        }
    }
}

impl Pending {
    fn note(&self, event: notify::Result<notify::Event>) {
        match event {
            Ok(event) if event.need_rescan() => *self.dirty() = Dirty::Everything,
            // Reading is not a change, and our own walk reads every directory.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
            Ok(event) => self.dirty().add(event.paths),
            Err(error) => {
                tracing::warn!("the watch of the tree lost count and looks at everything again: {error}");
                *self.dirty() = Dirty::Everything;
            }
        }
        self.some.notify_one();
    }

    fn take(&self) -> Option<Dirty> {
        let mut dirty = self.dirty();
        let some = *dirty != Dirty::Paths(BTreeSet::new());
        some.then(|| mem::replace(&mut *dirty, Dirty::Paths(BTreeSet::new())))
    }

    fn dirty(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dirty {
    fn add(&mut self, paths: Vec<PathBuf>) {
        if let Self::Paths(known) = self {
            known.extend(paths);
            if known.len() > REMEMBERED {
                *self = Self::Everything;
            }
        }
    }
}

fn is_harmless(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_past_the_bound_is_everything() {
        let mut dirty = Dirty::Paths(BTreeSet::new());
        dirty.add((0..REMEMBERED).map(|n| PathBuf::from(n.to_string())).collect());
        assert!(matches!(&dirty, Dirty::Paths(paths) if paths.len() == REMEMBERED));
        dirty.add(vec!["one more".into()]);
        assert_eq!(dirty, Dirty::Everything);
        dirty.add(vec!["and another".into()]);
        assert_eq!(dirty, Dirty::Everything);
    }

    #[tokio::test]
    async fn a_new_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let changes = Changes::start(&root).unwrap();
        changes.add(&root).unwrap();
        let file = root.join("new.rs");
        std::fs::write(&file, "").unwrap();
        loop {
            match changes.next().await {
                Dirty::Paths(paths) if !paths.contains(&file) => {}
                Dirty::Paths(_) | Dirty::Everything => break,
            }
        }
    }
}
