//! The walk: every regular file below a directory, `.git` and `target` left out, links not followed.
//!
//! What cannot be read is one step of its own; the walk goes on beside it.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use thiserror::Error;
use walkdir::{DirEntry, WalkDir};

use super::describe::{describe, is_skipped, readable};
use crate::entity::CodeFile;

/// A tree that existed when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

/// Why a tree cannot be opened.
#[derive(Debug, Error)]
pub(crate) enum TreeError {
    #[error("cannot watch {}: {source}; name a readable directory with --watch DIR", root.display())]
    Unreadable { root: PathBuf, source: io::Error },
}

/// One step of a walk.
#[derive(Debug)]
pub(crate) enum Step {
    /// A directory whose entries come next.
    Directory(PathBuf),
    File(CodeFile),
    /// Something that was passed over, by its path below the root.
    Unreadable {
        path: String,
        error: io::Error,
    },
}

/// What a path turned out to be.
#[derive(Debug)]
pub(crate) enum Found {
    File(CodeFile),
    Directory,
    /// Nothing is there any more, by its path below the root.
    Gone(String),
    Unreadable {
        path: String,
        error: io::Error,
    },
    /// A link, a socket, or a place that is left out.
    Ignored,
}

impl Tree {
    /// # Errors
    /// The directory is missing, is not a directory, or may not be read.
    pub(crate) fn open(root: &Path) -> Result<Self, TreeError> {
        // Notifications name absolute paths, so the root is one too.
        std::fs::read_dir(root)
            .and_then(|_| std::path::absolute(root))
            .map(|root| Self { root })
            .map_err(|source| TreeError::Unreadable { root: root.to_path_buf(), source })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Visits everything below `from`, which is the root or below it, until `visit` breaks.
    pub(crate) fn walk(&self, from: &Path, visit: &mut dyn FnMut(Step) -> ControlFlow<()>) -> ControlFlow<()> {
        let entries = WalkDir::new(from).into_iter().filter_entry(|entry| !left_out(entry));
        for entry in entries {
            if let Some(step) = self.step(entry) {
                visit(step)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn step(&self, entry: walkdir::Result<DirEntry>) -> Option<Step> {
        let fault = |path: &Path, error| Some(Step::Unreadable { path: readable(self.relative(path)), error });
        match entry {
            Ok(entry) if entry.file_type().is_dir() => Some(Step::Directory(entry.into_path())),
            Ok(entry) if entry.file_type().is_file() => match entry.metadata() {
                Ok(metadata) => Some(Step::File(describe(self.relative(entry.path()), &metadata))),
                Err(error) if is_missing(&error) => None,
                Err(error) => fault(entry.path(), error.into()),
            },
            Ok(_) => None,
            // It was there a moment ago; the watch tells of its end.
            Err(error) if is_missing(&error) => None,
            Err(error) => {
                let path = error.path().unwrap_or(&self.root).to_path_buf();
                fault(&path, error.into_io_error().unwrap_or_else(|| io::Error::other("a link that leads to itself")))
            }
        }
    }

    /// What is at `path` now.
    pub(crate) fn look(&self, path: &Path) -> Found {
        let relative = self.relative(path);
        if relative.components().any(|part| is_skipped(part.as_os_str())) {
            return Found::Ignored;
        }
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => Found::File(describe(relative, &metadata)),
            Ok(metadata) if metadata.is_dir() => Found::Directory,
            Ok(_) => Found::Ignored,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Found::Gone(readable(relative))
            }
            Err(error) => Found::Unreadable { path: readable(relative), error },
        }
    }

    fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

fn left_out(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_type().is_dir() && is_skipped(entry.file_name())
}

fn is_missing(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn files(tree: &Tree) -> Vec<String> {
        let mut paths = Vec::new();
        let _ = tree.walk(tree.root(), &mut |step| {
            if let Step::File(file) = step {
                paths.push(file.path);
            }
            ControlFlow::Continue(())
        });
        paths.sort();
        paths
    }

    #[test]
    fn a_walk_finds_files_and_leaves_out_git_target_and_links() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["src/deep/a.rs", "README.md", ".git/HEAD", "sub/target/x.o", ".github/ci.yml"] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        }
        // A file of that name is a file like any other.
        fs::write(dir.path().join("target"), "x").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        assert_eq!(files(&tree), [".github/ci.yml", "README.md", "src/deep/a.rs", "target"]);
    }

    #[test]
    fn a_walk_stops_when_told() {
        let dir = tempfile::tempdir().unwrap();
        (0..10).for_each(|n| fs::write(dir.path().join(n.to_string()), "").unwrap());
        let mut seen = 0;
        let tree = Tree::open(dir.path()).unwrap();
        let end = tree.walk(tree.root(), &mut |_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(end.is_break() && seen == 3);
    }

    #[test]
    fn a_tree_that_is_missing_or_a_file_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [dir.path().join("missing"), file] {
            let message = Tree::open(&path).unwrap_err().to_string();
            assert!(message.contains(&*path.to_string_lossy()) && message.ends_with("with --watch DIR"), "{message}");
        }
    }

    #[test]
    fn a_look_tells_what_is_there_now() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.rs"), "fn main() {}").unwrap();
        fs::create_dir(dir.path().join("target")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        assert!(matches!(tree.look(&dir.path().join("a.rs")), Found::File(file) if file.bytes == 12));
        assert!(matches!(tree.look(&dir.path().join("gone")), Found::Gone(path) if path == "gone"));
        assert!(matches!(tree.look(&dir.path().join("a.rs/x")), Found::Gone(_)));
        assert!(matches!(tree.look(&dir.path().join("target/x.o")), Found::Ignored));
        assert!(matches!(tree.look(dir.path()), Found::Directory));
    }
}
