//! The PID in a file, for people and programs that read it. Nothing here decides by it: it may be stale, foreign or
//! somebody's joke.

use std::fs::File;
use std::io;
use std::path::Path;

use super::sys;

/// More bytes than any PID and its blanks need; what is longer is none.
const LONGEST: usize = 32;

/// How a PID is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// In a lock file: with a newline.
    Line,
    /// In a PID file: the number alone.
    Bare,
}

impl Format {
    pub(super) fn bytes(self, pid: u32) -> Vec<u8> {
        match self {
            Self::Line => format!("{pid}\n"),
            Self::Bare => pid.to_string(),
        }
        .into_bytes()
    }
}

/// The PID that a file holds: decimal digits, blanks around them, and nothing else.
fn parse(bytes: &[u8]) -> Option<u32> {
    if bytes.len() > LONGEST {
        return None;
    }
    let digits = bytes.trim_ascii();
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok().filter(|pid| *pid != 0)
}

/// The PID in an open file.
pub(super) fn read(file: &File) -> io::Result<Option<u32>> {
    let mut bytes = [0; LONGEST + 1];
    let length = sys::read_at_start(file, &mut bytes)?;
    Ok(parse(&bytes[..length]))
}

/// The PID in a lock or PID file; `None` if there is none, whatever the reason. Whether its process still has the lock,
/// [`is_daemon_alive`] tells.
#[must_use]
pub fn read_lock_pid(path: impl AsRef<Path>) -> Option<u32> {
    let file = open(path.as_ref())?;
    read(&file).ok().flatten()
}

/// Whether there is a process of that number. It may be another user's, or another program's that got the number later.
///
/// ```
/// use daemon_core::instance::is_process_alive;
///
/// assert!(is_process_alive(std::process::id()));
/// assert!(!is_process_alive(0));
/// ```
#[must_use]
pub fn is_process_alive(pid: u32) -> bool {
    pid != 0 && sys::is_process_alive(pid)
}

/// Whether a daemon lives that holds this lock file. The lock itself is asked, not the PID in the file: a PID that was
/// given to another program deceives nobody. A file that cannot be opened counts as held by none.
#[must_use]
pub fn is_daemon_alive(lock_path: impl AsRef<Path>) -> bool {
    // Sharing the lock for a moment keeps nobody from starting: a starter looks who is in its way.
    open(lock_path.as_ref()).is_some_and(|file| matches!(sys::try_shared(&file), Ok(false)))
}

/// Opens a file to read it, if it is one.
fn open(path: &Path) -> Option<File> {
    let file = sys::open_to_read(path).ok()?;
    sys::look(&file).is_ok_and(|look| look.is_regular).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for pid in [1, 4711, u32::MAX] {
            for format in [Format::Line, Format::Bare] {
                assert_eq!(parse(&format.bytes(pid)), Some(pid));
            }
        }
        assert_eq!((Format::Line.bytes(7), Format::Bare.bytes(7)), (b"7\n".to_vec(), b"7".to_vec()));
    }

    #[test]
    fn blanks_around_a_number_are_nothing() {
        assert_eq!(parse(b" 12\r\n"), Some(12));
        assert_eq!(parse(b"\n\n12"), Some(12));
    }

    #[test]
    fn w13_what_only_begins_like_a_number_is_none() {
        for text in ["", "\n", "0", "-5", "+5", "1e5", "0x10", "123abc", "12 34", "123\n5", "12.0", "4294967296", "\0"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(&[b' '; LONGEST + 1]), None);
        assert_eq!(parse("\u{661}".as_bytes()), None, "a digit, but not one of ours");
        assert_eq!(parse(&[0xff, b'1']), None);
        let long = [&[b'0'; LONGEST - 1][..], b"7"].concat();
        assert_eq!(parse(&long), Some(7));
        assert_eq!(parse(&[&long[..], b"\n"].concat()), None, "it is longer than a PID can be");
    }

    #[test]
    fn processes_that_cannot_be_are_not_alive() {
        assert!(is_process_alive(std::process::id()));
        assert!(!is_process_alive(0) && !is_process_alive(u32::MAX));
        #[cfg(unix)]
        assert!(is_process_alive(1), "somebody else's, perhaps, but there");
    }
}
