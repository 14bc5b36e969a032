//! Which suspended calls of one life were woken: a bit for each, set by any thread at any time.
//!
//! **Invariant:** no bit is overlooked. The consumer parks only if it found every word empty under its mailbox's lock; whoever finds a
//! word empty takes that lock once its bit is set, and wakes a consumer that has parked. Whoever finds other bits in the word leaves
//! that to the one who set the first.

use super::mailbox::Mailbox;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// The calls of one life that were woken.
#[derive(Debug)]
pub(crate) struct Woken {
    mailbox: Arc<Mailbox>,
    life: u64,
    words: Box<[AtomicU64]>,
}

impl Woken {
    /// None of so many calls.
    pub(crate) fn new(mailbox: Arc<Mailbox>, life: u64, calls: usize) -> Arc<Self> {
        let words = (0..calls.div_ceil(u64::BITS as usize)).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { mailbox, life, words })
    }

    /// A call was woken. Call without locks.
    pub(crate) fn wake(&self, call: u32) {
        let before = self.words[(call / u64::BITS) as usize].fetch_or(1 << (call % u64::BITS), Ordering::AcqRel);
        if before == 0 {
            self.mailbox.wake_life(self.life);
        }
    }

    /// Whether any was.
    pub(super) fn any(&self) -> bool {
        self.words.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Which of the calls of a word were woken since this was last asked; `None` beyond the last word.
    pub(crate) fn take(&self, word: usize) -> Option<u64> {
        let word = self.words.get(word)?;
        Some(if word.load(Ordering::Relaxed) == 0 { 0 } else { word.swap(0, Ordering::AcqRel) })
    }
}
