//! What was logged: the last lines of a file that rotates, and what comes after them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::log::numbered;
use crate::output::Out;

/// How often it is looked for more.
const PAUSE: Duration = Duration::from_millis(100);
/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Shows the last so many lines, and what follows.
pub(super) fn show(path: &Path, lines: usize, follow: bool) -> Result<(), Error> {
    let out = Out::new(false);
    let unread = |error: io::Error| Error::failed(format!("cannot read {}: {error}", path.display()));
    let mut file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound && follow => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("there is no {}; only what runs in the background logs to it", path.display());
            return Err(Error::failed(text));
        }
        Err(error) => return Err(unread(error)),
    };
    if let Some(file) = &mut file {
        let mut last = last_lines(file, lines).map_err(unread)?;
        let missing = lines.saturating_sub(last.len());
        if missing > 0
            && let Ok(mut before) = File::open(numbered(path, 1))
        {
            for line in last_lines(&mut before, missing).map_err(unread)?.into_iter().rev() {
                last.push_front(line);
            }
        }
        for line in last {
            write(&out, &line)?;
        }
    }
    if follow { go_on(path, file, &out) } else { Ok(()) }
}

fn write(out: &Out, bytes: &[u8]) -> Result<(), Error> {
    out.text(&String::from_utf8_lossy(bytes))
}

/// The last lines of a file; it is then read to its end.
fn last_lines(file: &mut File, most: usize) -> io::Result<VecDeque<Vec<u8>>> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut from, mut bytes) = (end, Vec::new());
    while from > 0 && count_lines(&bytes) <= most {
        let length = (CHUNK as u64).min(from);
        from -= length;
        file.seek(SeekFrom::Start(from))?;
        let mut chunk = vec![0; usize::try_from(length).unwrap_or(CHUNK)];
        file.read_exact(&mut chunk)?;
        chunk.append(&mut bytes);
        bytes = chunk;
    }
    file.seek(SeekFrom::Start(end))?;
    let mut lines: VecDeque<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.drain(..lines.len().saturating_sub(most));
    Ok(lines)
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Shows what is written from now on, in this file and in those that take its place.
fn go_on(path: &Path, mut file: Option<File>, out: &Out) -> Result<(), Error> {
    loop {
        // Asked before the rest is read: what is written to the old one after that is not missed.
        let next = is_replaced(path, file.as_ref());
        if let Some(file) = &mut file {
            rest(file, out)?;
        }
        match next {
            Some(next) => file = Some(next),
            None => thread::sleep(PAUSE),
        }
    }
}

/// Shows the rest of a file.
fn rest(file: &mut File, out: &Out) -> Result<(), Error> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => write(out, &chunk[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::failed(format!("cannot read it any more: {error}"))),
        }
    }
}

/// The file that has the path by now, if that is another one.
fn is_replaced(path: &Path, file: Option<&File>) -> Option<File> {
    let now = File::open(path).ok()?;
    let same = file.is_some_and(|file| is_same(file, &now));
    (!same).then_some(now)
}

#[cfg(unix)]
fn is_same(one: &File, other: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |file: &File| file.metadata().map(|data| (data.dev(), data.ino())).ok();
    identity(one) == identity(other)
}

/// Where files have no number, one that was made at another time is another one.
#[cfg(not(unix))]
fn is_same(one: &File, other: &File) -> bool {
    let created = |file: &File| file.metadata().and_then(|data| data.created()).ok();
    created(one) == created(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str, most: usize) -> Vec<String> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let lines = last_lines(&mut file, most).unwrap();
        assert_eq!(file.stream_position().unwrap(), text.len() as u64);
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        assert_eq!(last("one\ntwo\nthree\n", 2), ["two\n", "three\n"]);
        assert_eq!(last("one\ntwo\nunended", 2), ["two\n", "unended"]);
        assert_eq!(last("one\n", 5), ["one\n"]);
        assert!(last("one\n", 0).is_empty() && last("", 3).is_empty());
        let long: String = (0..50_000).map(|n| format!("line {n}\n")).collect();
        assert_eq!(last(&long, 20_000).len(), 20_000);
        assert_eq!(last(&long, 20_000)[0], "line 30000\n");
    }

    #[test]
    fn a_file_in_the_place_of_another_is_noticed() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("app.log");
        std::fs::write(&path, "one\n").unwrap();
        let first = File::open(&path).unwrap();
        assert!(is_replaced(&path, Some(&first)).is_none() && is_replaced(&path, None).is_some());
        std::fs::rename(&path, numbered(&path, 1)).unwrap();
        assert!(is_replaced(&path, Some(&first)).is_none(), "there is none yet");
        std::fs::write(&path, "two\n").unwrap();
        assert!(is_replaced(&path, Some(&first)).is_some());
    }
}
