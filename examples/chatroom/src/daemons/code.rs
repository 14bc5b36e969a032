//! `code`: mirrors the source tree named by `--watch` in the collection `code_index`, and follows what changes in it.
//!
//! 1. It listens before it looks: a directory is watched before it is read, so nothing falls between the two.
//! 2. A notification only says where to look again; what is written is what is there.
//! 3. The walk never runs on an async thread, nor further ahead of the database than one batch.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use daemon_core::{Context, DaemonBase, Result, daemon};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::DataDaemon;
use crate::chaos::Strike;
use crate::entity::CodeFile;
use crate::tree::{Changes, Dirty, Found, Step, Tree};

/// Files written in one transaction.
const BATCH: usize = 512;
/// How long a change may be followed by others before they are looked at together.
const SETTLE: Duration = Duration::from_millis(50);

#[daemon(name = "code", requires(DataDaemon))]
pub(crate) struct CodeDaemon {
    root: PathBuf,
    watched: OnceLock<Arc<Watched>>,
    files: AtomicU64,
    is_indexed: AtomicBool,
}

/// The tree, and what tells of its changes unless the system cannot.
#[derive(Debug)]
struct Watched {
    tree: Tree,
    changes: Option<Changes>,
    is_partly_blind: AtomicBool,
}

/// How far the index is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) files: u64,
    /// Whether the whole tree was read; from then on the index follows its changes.
    pub(crate) is_complete: bool,
}

#[daemon]
impl CodeDaemon {
    #[task(finite)]
    async fn index_and_follow(&self, cx: &Context) -> Result<()> {
        let Some(watched) = self.watched.get() else { return Ok(()) };
        self.index(cx, watched).await?;
        let Some(changes) = &watched.changes else { return Ok(()) };
        loop {
            let dirty = tokio::select! {
                dirty = async { tokio::time::sleep(SETTLE).await; changes.next().await } => dirty,
                () = cx.cancelled() => return Ok(()),
            };
            match dirty {
                Dirty::Everything => self.index(cx, watched).await?,
                Dirty::Paths(paths) => self.look_again(cx, watched, paths).await?,
            }
        }
    }

    /// How many files are indexed, and whether that is all.
    #[command]
    fn progress(&self) -> Result<Progress> {
        let is_complete = self.is_indexed.load(Ordering::Relaxed);
        Ok(Progress { files: self.files.load(Ordering::Relaxed), is_complete })
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for CodeDaemon {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let root = self.root.clone();
        let watched = cx.spawn_blocking("open the tree", move || Watched::open(&root))?.await??;
        self.watched.get_or_init(|| Arc::new(watched));
        Ok(())
    }
}

impl CodeDaemon {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, watched: OnceLock::new(), files: AtomicU64::new(0), is_indexed: AtomicBool::new(false) }
    }

    /// Reads the whole tree and makes the index equal to it.
    async fn index(&self, cx: &Context, watched: &Arc<Watched>) -> Result<()> {
        let began = Instant::now();
        self.files.store(0, Ordering::Relaxed);
        let Some(seen) = self.read(cx, watched, vec![watched.tree.root().to_path_buf()]).await? else {
            return Ok(());
        };
        let data = cx.daemon::<DataDaemon>();
        let mut stale = data.keys::<CodeFile>(None).await?;
        stale.retain(|path| !seen.covers(path));
        data.delete::<CodeFile>(cx, &stale).await?.announced().await;
        self.is_indexed.store(true, Ordering::Relaxed);
        tracing::info!("{} files are indexed, in {:.1?}", seen.files.len(), began.elapsed());
        Ok(())
    }

    /// Looks at the paths that changed.
    async fn look_again(&self, cx: &Context, watched: &Arc<Watched>, paths: BTreeSet<PathBuf>) -> Result<()> {
        let here = watched.clone();
        let looks = move || paths.into_iter().map(|path| (here.tree.look(&path), path)).collect::<Vec<_>>();
        let data = cx.daemon::<DataDaemon>();
        let (mut files, mut gone, mut directories) = (Vec::new(), Vec::new(), Vec::new());
        for (found, path) in cx.spawn_blocking("look at changes", looks)?.await? {
            match found {
                Found::File(file) => files.push(file),
                Found::Directory => directories.push(path),
                Found::Gone(path) => {
                    gone.extend(data.keys::<CodeFile>(Some(&path)).await?);
                    gone.push(path);
                }
                Found::Unreadable { path, error } => tell_unreadable(&path, &error),
                Found::Ignored => {}
            }
        }
        data.delete::<CodeFile>(cx, &gone).await?.announced().await;
        data.put(cx, &files).await?.announced().await;
        self.read(cx, watched, directories).await?;
        Ok(())
    }

    /// Indexes everything below `from`; `None` if the daemon is to end before that is done.
    async fn read(&self, cx: &Context, watched: &Arc<Watched>, from: Vec<PathBuf>) -> Result<Option<Seen>> {
        let (batches, mut queue) = mpsc::channel(1);
        let here = watched.clone();
        let walk = cx.spawn_blocking("walk the tree", move || here.walk(&from, &batches))?;
        let data = cx.daemon::<DataDaemon>();
        loop {
            let batch: Option<Vec<CodeFile>> = tokio::select! {
                batch = queue.recv() => batch,
                // The walk ends at its next batch, since nobody takes it.
                () = cx.cancelled() => return Ok(None),
            };
            let Some(batch) = batch else { return Ok(Some(walk.await?)) };
            data.put(cx, &batch).await?.announced().await;
            self.files.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
    }
}

/// What a walk came by.
#[derive(Debug, Default)]
struct Seen {
    files: HashSet<String>,
    unreadable: Vec<String>,
}

impl Seen {
    /// Whether the path was seen, or lies where nobody could look.
    fn covers(&self, path: &str) -> bool {
        let hides = |hidden: &String| {
            path.strip_prefix(hidden.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || hidden.is_empty())
        };
        self.files.contains(path) || self.unreadable.iter().any(hides)
    }
}

impl Watched {
    fn open(root: &Path) -> Result<Self> {
        let tree = Tree::open(root)?;
        let changes = match Changes::start(tree.root()) {
            Ok(changes) => Some(changes),
            Err(error) => {
                tracing::warn!("changes of the tree are not followed: {error}");
                None
            }
        };
        Ok(Self { tree, changes, is_partly_blind: AtomicBool::new(false) })
    }

    fn walk(&self, from: &[PathBuf], batches: &mpsc::Sender<Vec<CodeFile>>) -> Seen {
        let mut seen = Seen::default();
        let mut batch = Vec::with_capacity(BATCH);
        for from in from {
            let end = self.tree.walk(from, &mut |step| {
                match step {
                    Step::Directory(directory) => self.watch(&directory),
                    Step::Unreadable { path, error } => {
                        tell_unreadable(&path, &error);
                        seen.unreadable.push(path);
                    }
                    Step::File(file) => {
                        seen.files.insert(file.path.clone());
                        batch.push(file);
                    }
                }
                if batch.len() < BATCH || batches.blocking_send(std::mem::take(&mut batch)).is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            if end.is_break() {
                return seen;
            }
        }
        if !batch.is_empty() {
            // Nobody takes it only when the daemon is to end, and then the walk is not complete anyway.
            batches.blocking_send(batch).ok();
        }
        seen
    }

    fn watch(&self, directory: &Path) {
        let Some(Err(error)) = self.changes.as_ref().map(|changes| changes.add(directory)) else { return };
        if !self.is_partly_blind.swap(true, Ordering::Relaxed) {
            let directory = directory.display();
            tracing::warn!(
                "changes in {directory}, and in what cannot be watched after it, are not followed: {error}; on Linux, \
                 raise fs.inotify.max_user_watches"
            );
        }
    }
}

fn tell_unreadable(path: &str, error: &std::io::Error) {
    let path = if path.is_empty() { "the root of the tree" } else { path };
    tracing::warn!("{path} cannot be read and is not indexed: {error}");
}
