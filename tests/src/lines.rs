//! One stream of a process as it is read. Owns the reader thread, the bytes and the waiting for a line; knows nothing of processes.

use std::{
    io::Read,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What a stream has said so far. Reading goes on in a thread of its own, so that a program never waits for its test.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    heard: Mutex<Heard>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    bytes: Vec<u8>,
    ended: bool,
}

impl Lines {
    /// Starts to read. The thread ends with the stream.
    pub(crate) fn of(mut stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let lines = Self { shared: Arc::clone(&shared) };
        thread::spawn(move || {
            let mut chunk = [0; 8192];
            loop {
                let read = match stream.read(&mut chunk) {
                    Err(fault) if fault.kind() == std::io::ErrorKind::Interrupted => continue,
                    outcome => outcome.unwrap_or(0),
                };
                let mut heard = shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.bytes.extend_from_slice(&chunk[..read]);
                heard.ended = read == 0;
                shared.more.notify_all();
                if heard.ended {
                    return;
                }
            }
        });
        lines
    }

    /// All bytes so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.heard().bytes.clone()
    }

    /// The first line, from the beginning, that is wanted; waits for it until the stream ends or the time is up. A last line
    /// without a newline counts once the stream has ended.
    pub(crate) fn wait_for(&self, within: Duration, mut wanted: impl FnMut(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + within;
        let mut heard = self.heard();
        let mut looked = 0;
        loop {
            let complete = match heard.bytes.iter().rposition(|byte| *byte == b'\n') {
                _ if heard.ended => heard.bytes.len(),
                newline => newline.map_or(0, |at| at + 1),
            };
            let fresh = String::from_utf8_lossy(&heard.bytes[looked..complete]);
            if let Some(line) = fresh.lines().find(|line| wanted(line)) {
                return Some(line.to_owned());
            }
            looked = complete;
            heard = self.until(heard, deadline)?;
        }
    }

    /// Waits for the end of the stream, at most until the deadline; whether it came.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> bool {
        let mut heard = self.heard();
        while !heard.ended {
            match self.until(heard, deadline) {
                Some(again) => heard = again,
                None => return false,
            }
        }
        true
    }

    /// Waits for more; `None` if there will be none or the time is up.
    fn until<'a>(&'a self, heard: MutexGuard<'a, Heard>, deadline: Instant) -> Option<MutexGuard<'a, Heard>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if heard.ended || left.is_zero() {
            return None;
        }
        Some(self.shared.more.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
