//! Connecting: how often it is tried, and what it means that it failed.

use crate::{ConnectionError, Endpoint, transport::Stream};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::Path,
    time::Duration,
};
use tokio::time::sleep;

/// How long it is waited before a server whose queue is full is asked again.
const QUEUE: Duration = Duration::from_millis(5);

/// What is done when a connection was lost: at the next call it is made again, in several attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    attempts: u32,
    first: Duration,
    most: Duration,
}

impl Reconnect {
    /// Nothing: calls fail until [`Connection::reconnect`](super::Connection::reconnect).
    #[must_use]
    pub const fn never() -> Self {
        Self { attempts: 0, first: Duration::ZERO, most: Duration::ZERO }
    }

    /// At most so many attempts; between the first two it is waited for `first`, then each time twice as long, up to `most`, give or
    /// take a quarter.
    #[must_use]
    pub const fn attempts_of(attempts: u32, first: Duration, most: Duration) -> Self {
        Self { attempts, first, most }
    }

    pub(super) fn is_never(self) -> bool {
        self.attempts == 0
    }

    /// What holds for this attempt to connect.
    pub(super) fn attempts(self, had_one: bool, waits: bool) -> Self {
        let attempts = match (waits, had_one) {
            (true, _) => u32::MAX,
            (false, true) => self.attempts.max(1),
            (false, false) => 1,
        };
        let default = Self::default();
        let (first, most) = if self.is_never() { (default.first, default.most) } else { (self.first, self.most) };
        Self { attempts, first, most }
    }

    /// How long it is waited after an attempt, counted from 0.
    fn pause(self, attempt: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt)).min(self.most);
        let quarter = doubled / 4;
        // Many clients of one server that restarts must not all come at once.
        let random = RandomState::new().build_hasher().finish();
        let half = (quarter * 2).mul_f64(f64::from(random as u32) / f64::from(u32::MAX));
        (doubled - quarter).saturating_add(half)
    }
}

/// Five attempts, after 50 ms doubling to 1 s.
impl Default for Reconnect {
    fn default() -> Self {
        Self::attempts_of(5, Duration::from_millis(50), Duration::from_secs(1))
    }
}

/// Connects. Whoever calls limits how long it takes.
pub(super) async fn dial(endpoint: &Endpoint, reconnect: &Reconnect) -> Result<Stream, ConnectionError> {
    let mut attempt = 0;
    loop {
        let error = match endpoint.connect().await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(QUEUE).await;
                continue;
            }
            Err(error) => error,
        };
        let may_come = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
        attempt += 1;
        if !may_come || attempt >= reconnect.attempts {
            return Err(refusal(endpoint.path(), error, || endpoint.name()));
        }
        sleep(reconnect.pause(attempt - 1)).await;
    }
}

/// What it means that nobody could be connected to.
pub(super) fn refusal(
    path: Option<&Path>,
    source: io::Error,
    name: impl FnOnce() -> std::path::PathBuf,
) -> ConnectionError {
    let socket_path = name();
    // A socket is there, or the system would have said that there is none.
    match path {
        Some(path) if source.kind() == io::ErrorKind::ConnectionRefused && !is_socket(path) => {
            ConnectionError::Refused { socket_path, source: io::Error::new(source.kind(), "it is no socket") }
        }
        Some(path) if source.kind() == io::ErrorKind::ConnectionRefused => {
            ConnectionError::StaleSocket { pid: pid_beside(path), socket_path }
        }
        _ => ConnectionError::Refused { socket_path, source },
    }
}

/// Whether that is there which can be connected to. What the system does not let us look at counts as such.
#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).map_or(true, |found| found.file_type().is_socket())
}

/// There is no such thing as a file in the place of a pipe.
#[cfg(not(unix))]
fn is_socket(_: &Path) -> bool {
    true
}

/// The process that the lock file beside a socket names.
#[cfg(unix)]
fn pid_beside(socket: &Path) -> Option<u32> {
    daemon_core::instance::read_lock_pid(crate::transport::lock_beside(socket))
}

/// A pipe is gone with its process: there is none that nobody listens on.
#[cfg(not(unix))]
fn pid_beside(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most_give_or_take_a_quarter() {
        let reconnect = Reconnect::attempts_of(9, Duration::from_millis(100), Duration::from_secs(1));
        for (attempt, expected) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1000), (40, 1000)] {
            for _ in 0..100 {
                let pause = reconnect.pause(attempt);
                let expected = Duration::from_millis(expected);
                assert!(pause >= expected * 3 / 4 && pause <= expected * 5 / 4, "{attempt}: {pause:?}");
            }
        }
    }

    #[test]
    fn a_pause_without_end_is_a_pause() {
        let reconnect = Reconnect::attempts_of(u32::MAX, Duration::MAX, Duration::MAX);
        for attempt in [0, 1, 64, u32::MAX] {
            for _ in 0..100 {
                assert!(reconnect.pause(attempt) >= Duration::MAX / 4 * 3);
            }
        }
    }

    #[test]
    fn the_first_connection_is_tried_once_and_later_ones_as_often_as_they_may() {
        let reconnect = Reconnect::default();
        assert_eq!(reconnect.attempts(false, false).attempts, 1);
        assert_eq!(reconnect.attempts(true, false).attempts, 5);
        assert_eq!(reconnect.attempts(false, true).attempts, u32::MAX);
        assert_eq!(Reconnect::never().attempts(true, false).attempts, 1);
        assert!(Reconnect::never().attempts(true, true).first > Duration::ZERO);
    }
}
