//! A log file that never grows beyond a bound: when it is full, the one before becomes `.1`, that `.2` and so on, and the oldest goes.
//!
//! The file in use always has the same name. A line is never split between two. What cannot be written is lost: a log must not take down
//! what it tells of.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
    largest: u64,
    kept: usize,
}

impl Rotating {
    /// Goes on with the file at `path`, in a directory that is made if it is missing; both are the user's alone.
    pub(crate) fn open(path: &Path, largest: u64, kept: usize) -> io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, largest, kept })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..self.kept).rev() {
            let older = numbered(&self.path, number);
            match fs::rename(&older, numbered(&self.path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open(&self.path)?;
        Ok(())
    }
}

/// Opens a file to write at its end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The name of the file that is so many before the one in use.
pub(crate) fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let grown = self.size.saturating_add(line.len() as u64);
        if grown > self.largest && self.size > 0 {
            // If it cannot be, it grows, and that is tried again when it is twice as large.
            drop(self.rotate());
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotating(largest: u64, kept: usize) -> (tempfile::TempDir, PathBuf, Rotating) {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("logs/app.log");
        let log = Rotating::open(&path, largest, kept).unwrap();
        (dir, path, log)
    }

    fn text(path: &Path, number: usize) -> Option<String> {
        fs::read_to_string(numbered(path, number)).ok()
    }

    #[test]
    fn the_oldest_go_and_no_line_is_split() {
        let (_dir, path, mut log) = rotating(10, 2);
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n", "a long line\n", "six\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(text(&path, 0).as_deref(), Some("six\n"));
        assert_eq!(text(&path, 1).as_deref(), Some("a long line\n"));
        assert_eq!(text(&path, 2).as_deref(), Some("four\nfive\n"));
        assert_eq!(text(&path, 3), None);
    }

    #[test]
    fn a_file_is_gone_on_with() {
        let (_dir, path, mut log) = rotating(10, 1);
        log.write_all(b"before\n").unwrap();
        drop(log);
        let mut log = Rotating::open(&path, 10, 1).unwrap();
        log.write_all(b"after\n").unwrap();
        assert_eq!((text(&path, 0).as_deref(), text(&path, 1).as_deref()), (Some("after\n"), Some("before\n")));
    }

    #[test]
    fn a_file_that_was_taken_away_comes_again_with_the_next_rotation() {
        let (_dir, path, mut log) = rotating(10, 1);
        log.write_all(b"lost\n").unwrap();
        fs::remove_file(&path).unwrap();
        log.write_all(b"lost\n").unwrap();
        log.write_all(b"there\n").unwrap();
        assert_eq!(text(&path, 0).as_deref(), Some("there\n"));
        // Elsewhere a file may be there, under its name, until nobody has it open any more.
        #[cfg(unix)]
        assert_eq!(text(&path, 1), None);
    }

    #[cfg(unix)]
    #[test]
    fn logs_are_the_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, path, _log) = rotating(10, 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}
