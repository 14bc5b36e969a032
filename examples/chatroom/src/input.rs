//! Standard input as numbered lines, read on a plain thread and handed over in batches through a bounded queue.
//!
//! 1. The thread blocks in the read, never an async worker; a read that never returns dies with the process.
//! 2. What was handed over is taken before the queue ends: [`Input::close`] stops the intake, [`Input::take`] then
//!    gives the rest.
//! 3. No byte is left out: bytes that are no text become `�`, and a line too long is handed over in pieces.
//! 4. A line is handed over as soon as it is read: a batch is what is there already, it waits for nothing.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, mpsc};

/// Batches that may wait to be taken.
const QUEUED_BATCHES: usize = 4;
/// Lines of the largest batch.
const LINES: usize = 512;
/// Bytes after which a batch is large enough.
const BYTES: usize = 256 * 1024;
/// Bytes of the longest line that stays in one piece.
const LONGEST_LINE: u64 = 256 * 1024;

/// One line, or one piece of a line that is too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) text: String,
    /// Whether some bytes were no UTF-8 and are `�` in the text.
    pub(crate) lossy: bool,
}

/// The taking end.
#[derive(Debug)]
pub(crate) struct Input {
    batches: Mutex<mpsc::Receiver<Vec<Line>>>,
    turned_away: Arc<AtomicU64>,
}

impl Input {
    /// Starts reading. The thread ends with the input, or with the first batch nobody takes.
    pub(crate) fn read(input: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, batches) = mpsc::channel(QUEUED_BATCHES);
        let turned_away = Arc::new(AtomicU64::new(0));
        let told = turned_away.clone();
        let hand_over = move || {
            let mut lines = Lines::new(BufReader::with_capacity(128 * 1024, input));
            let mut end = None;
            while end.is_none() {
                let batch;
                (batch, end) = lines.next_batch();
                let Some(first) = batch.first().map(|line| line.number) else { break };
                if sender.blocking_send(batch).is_err() {
                    told.store(first, Ordering::Release);
                    return;
                }
            }
            if let Some(Err(error)) = end {
                tracing::error!("standard input cannot be read any further: {error}; what came before is kept");
            }
        };
        std::thread::Builder::new().name("standard-input".to_owned()).spawn(hand_over)?;
        Ok(Self { batches: Mutex::new(batches), turned_away })
    }

    /// Waits for lines; `None` is the end of the input.
    ///
    /// Cancel safe: a line is either in the answer or still queued.
    pub(crate) async fn take(&self) -> Option<Vec<Line>> {
        self.batches.lock().await.recv().await
    }

    /// Stops the intake; what was handed over before can still be taken.
    pub(crate) async fn close(&self) {
        self.batches.lock().await.close();
    }

    /// The first line that came after [`close`](Self::close) and was not taken, once it is known.
    pub(crate) fn turned_away(&self) -> Option<u64> {
        Some(self.turned_away.load(Ordering::Acquire)).filter(|number| *number > 0)
    }
}

/// Cuts bytes into lines.
struct Lines<R> {
    reader: R,
    number: u64,
    /// Bytes of the line that did not fit in its last piece.
    rest: Vec<u8>,
    inside: bool,
}

impl<R: Read> Lines<BufReader<R>> {
    /// Waits for a line and adds those that are there already; the second value is how the input ended, if it did.
    fn next_batch(&mut self) -> (Vec<Line>, Option<io::Result<()>>) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        loop {
            match self.next_line() {
                Ok(Some(line)) => {
                    bytes += line.text.len();
                    batch.push(line);
                }
                Ok(None) => return (batch, Some(Ok(()))),
                Err(error) => return (batch, Some(Err(error))),
            }
            if batch.len() == LINES || bytes >= BYTES || !self.reader.buffer().contains(&b'\n') {
                return (batch, None);
            }
        }
    }
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader, number: 0, rest: Vec::new(), inside: false }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = std::mem::take(&mut self.rest);
        let read = (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
        if read == 0 && bytes.is_empty() {
            return Ok(None);
        }
        if !self.inside {
            self.number += 1;
        }
        let ended = bytes.last() == Some(&b'\n');
        if ended {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        } else if read > 0 {
            self.rest = bytes.split_off(whole_characters(&bytes));
        }
        // A piece that ends without a newline and is not the last is followed by more of the same line.
        let piece_of_ended_line = self.inside && ended && bytes.is_empty();
        self.inside = !ended;
        if piece_of_ended_line {
            return self.next_line();
        }
        let (text, lossy) = match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
        };
        Ok(Some(Line { number: self.number, text, lossy }))
    }
}

/// How many bytes stand before a character that is cut off at the end; all if none is.
fn whole_characters(bytes: &[u8]) -> usize {
    let first_byte = bytes.iter().rev().take(3).position(|byte| byte & 0xC0 != 0x80);
    let cut_off = first_byte.map(|back| back + 1).filter(|there| {
        let whole = match bytes[bytes.len() - there] {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        *there < whole
    });
    bytes.len() - cut_off.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(u64, String, bool)> {
        let mut lines = Lines::new(bytes);
        std::iter::from_fn(|| lines.next_line().unwrap()).map(|line| (line.number, line.text, line.lossy)).collect()
    }

    #[test]
    fn lines_end_with_a_newline_or_the_input() {
        let expected: Vec<_> =
            [(1, "a"), (2, ""), (3, "b"), (4, "c")].map(|(n, text)| (n, text.to_owned(), false)).into();
        assert_eq!(lines(b"a\n\nb\r\nc"), expected);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        assert_eq!(lines(b"ok\nbad \xFF byte\n")[1], (2, "bad \u{FFFD} byte".to_owned(), true));
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_add_up_and_cut_no_character() {
        let longest = usize::try_from(LONGEST_LINE).unwrap();
        for pad in 0..4 {
            let long = "x".repeat(pad) + &"漢".repeat(longest);
            let all = lines(format!("{long}\nnext\n").as_bytes());
            let (last, pieces) = all.split_last().unwrap();
            assert_eq!(last, &(2, "next".to_owned(), false));
            assert!(pieces.len() > 2 && pieces.iter().all(|(number, _, lossy)| *number == 1 && !lossy));
            assert_eq!(pieces.iter().map(|(_, text, _)| text.as_str()).collect::<String>(), long);
        }
        let exact = "y".repeat(longest);
        assert_eq!(lines(format!("{exact}\n").as_bytes()), [(1, exact.clone(), false)]);
        assert_eq!(lines(exact.as_bytes()), [(1, exact, false)]);
    }

    #[tokio::test]
    async fn what_was_handed_over_before_the_close_is_taken_after_it() {
        let text: String = (1..=10_000).map(|n| format!("{n}\n")).collect();
        let input = Input::read(io::Cursor::new(text)).unwrap();
        let mut taken = input.take().await.unwrap();
        assert_eq!(taken.len(), LINES);
        input.close().await;
        while let Some(more) = input.take().await {
            taken.extend(more);
        }
        assert!(taken.iter().map(|line| line.number).eq(1..=taken.len() as u64));
        while input.turned_away().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(input.turned_away(), Some(taken.len() as u64 + 1));
    }

    #[tokio::test]
    async fn a_line_does_not_wait_for_the_next_one() {
        let (reader, mut writer) = io::pipe().unwrap();
        let input = Input::read(reader).unwrap();
        for number in 1..=3 {
            io::Write::write_all(&mut writer, b"one line\n").unwrap();
            let batch = input.take().await.unwrap();
            assert_eq!(batch, [Line { number, text: "one line".into(), lossy: false }]);
        }
        drop(writer);
        assert_eq!(input.take().await, None);
    }
}
