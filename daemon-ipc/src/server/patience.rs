//! How long a peer is waited for. Told what happens, it says when something is due, and what. Does no I/O.

use crate::{
    Limits,
    timer::{Now, after, earlier},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often in an idle timeout it is looked whether anything happened.
const LOOKS: u32 = 4;

/// How long it is waited between two looks at least: to look without a pause would be all that is done.
const LEAST_LOOK: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Patience {
    limits: Arc<Limits>,
    look: Duration,
    /// When the line at hand began.
    line_since: Option<Instant>,
    /// Since when the peer has taken nothing of what is to be written.
    stuck_since: Option<Instant>,
    closing: Closing,
    /// When it was last looked whether anything happened, and how often nothing had.
    looked_at: Instant,
    quiet_looks: u32,
    /// Something has happened since.
    is_active: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// The handlers have their time since then.
    Since(Instant),
    /// They had it.
    Drained,
}

/// What is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    /// The peer does not read.
    Stuck,
    /// The peer takes too long over a line.
    SlowLine,
    /// Nothing has happened for as long as it may.
    Quiet,
}

impl Patience {
    pub(super) fn new(limits: Arc<Limits>, now: Instant) -> Self {
        Self {
            look: (limits.idle_timeout / LOOKS).max(LEAST_LOOK),
            limits,
            line_since: None,
            stuck_since: None,
            closing: Closing::No,
            looked_at: now,
            quiet_looks: 0,
            is_active: true,
        }
    }

    /// Something was read, written or answered.
    pub(super) fn be_active(&mut self) {
        self.is_active = true;
    }

    /// Whether a line has begun whose end is waited for.
    pub(super) fn line(&mut self, has_begun: bool, now: &Now) {
        self.line_since = if has_begun { self.line_since.or_else(|| Some(now.get())) } else { None };
    }

    /// The line at hand has ended; another may begin at once.
    pub(super) fn line_ended(&mut self) {
        self.line_since = None;
    }

    /// All is written.
    pub(super) fn unstuck(&mut self) {
        self.stuck_since = None;
    }

    /// Something is left to be written, and the peer has taken some of it by now, or nothing.
    pub(super) fn stuck(&mut self, took: bool, now: &Now) {
        if took || self.stuck_since.is_none() {
            self.stuck_since = Some(now.get());
        }
    }

    /// The connection is to end. Whether that is new.
    pub(super) fn close(&mut self, now: &Now) -> bool {
        let is_new = self.closing == Closing::No;
        if is_new {
            self.closing = Closing::Since(now.get());
        }
        is_new
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing != Closing::No
    }

    /// Whether the time that a closing server gives its handlers has passed; told once.
    pub(super) fn has_drained(&mut self, now: Instant) -> bool {
        let has = matches!(self.closing, Closing::Since(since) if is_over(Some(since), self.limits.drain_timeout, now));
        if has {
            self.closing = Closing::Drained;
        }
        has
    }

    /// When something is due though nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let look = after(self.looked_at, self.look);
        // Most of the time, that is all there is.
        if let (None, None, Closing::No) = (self.line_since, self.stuck_since, self.closing) {
            return look;
        }
        let of = |since: Option<Instant>, limit| since.and_then(|since| after(since, limit));
        let line = of(self.line_since, self.limits.read_timeout);
        let stuck = of(self.stuck_since, self.limits.write_timeout);
        let closing = match self.closing {
            Closing::Since(since) => after(since, self.limits.drain_timeout),
            Closing::No | Closing::Drained => None,
        };
        [line, stuck, closing].into_iter().fold(look, earlier)
    }

    /// What is at its end now, on a connection on which something is open or not.
    ///
    /// Reading the clock whenever something happens would cost more than that; so it is looked four times in the idle timeout
    /// whether anything did, and a connection is closed up to a quarter later than it could be.
    pub(super) fn verdict(&mut self, is_quiet: bool, now: Instant) -> Verdict {
        if is_over(self.stuck_since, self.limits.write_timeout, now) {
            return Verdict::Stuck;
        }
        if is_over(self.line_since, self.limits.read_timeout, now) {
            return Verdict::SlowLine;
        }
        if now.duration_since(self.looked_at) >= self.look {
            self.looked_at = now;
            let has_happened = std::mem::replace(&mut self.is_active, false);
            self.quiet_looks = if is_quiet && !has_happened { self.quiet_looks + 1 } else { 0 };
        }
        if self.quiet_looks >= LOOKS { Verdict::Quiet } else { Verdict::Wait }
    }
}

fn is_over(since: Option<Instant>, limit: Duration, now: Instant) -> bool {
    since.is_some_and(|since| now.duration_since(since) >= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// Line 30 s, write 20 s, idle 400 s, drain 5 s.
    fn patience(now: Instant) -> Patience {
        let limits = Limits::default()
            .with_read_timeout(seconds(30))
            .with_write_timeout(seconds(20))
            .with_idle_timeout(seconds(400))
            .with_drain_timeout(seconds(5));
        Patience::new(Arc::new(limits), now)
    }

    #[test]
    fn a_quiet_connection_ends_after_its_time_and_up_to_a_quarter_more() {
        let start = Instant::now();
        for (last, ends) in [(None, 500), (Some(150), 600), (Some(199), 600), (Some(200), 700)] {
            let mut patience = patience(start);
            let mut end = None;
            for second in 1..=1000 {
                let now = start + seconds(second);
                if patience.due().is_some_and(|due| due <= now) && patience.verdict(true, now) == Verdict::Quiet {
                    end = Some(second);
                    break;
                }
                if last == Some(second) {
                    patience.be_active();
                }
            }
            assert_eq!(end, Some(ends), "{last:?}");
        }
    }

    #[test]
    fn one_that_may_not_be_idle_is_not_looked_at_without_a_pause() {
        let start = Instant::now();
        let mut patience = Patience::new(Arc::new(Limits::default().with_idle_timeout(Duration::ZERO)), start);
        for _ in 0..10 {
            let due = patience.due().unwrap();
            assert!(due > patience.looked_at);
            assert_eq!(patience.verdict(false, due), Verdict::Wait);
        }
    }

    #[test]
    fn a_connection_with_something_open_is_not_quiet() {
        let start = Instant::now();
        let mut patience = patience(start);
        for second in 1..2000 {
            assert_eq!(patience.verdict(false, start + seconds(second)), Verdict::Wait);
        }
    }

    #[test]
    fn a_line_is_waited_for_from_its_beginning_and_each_anew() {
        let start = Instant::now();
        let mut patience = patience(start);
        patience.line(true, &Now::at(start));
        patience.line(true, &Now::at(start + seconds(29)));
        assert_eq!(patience.due(), Some(start + seconds(30)));
        assert_eq!(patience.verdict(false, start + seconds(29)), Verdict::Wait);
        assert_eq!(patience.verdict(false, start + seconds(30)), Verdict::SlowLine);
        patience.line_ended();
        patience.line(true, &Now::at(start + seconds(30)));
        assert_eq!(patience.verdict(false, start + seconds(59)), Verdict::Wait);
        patience.line(false, &Now::at(start + seconds(59)));
        assert_eq!(patience.verdict(false, start + seconds(90)), Verdict::Wait);
    }

    #[test]
    fn a_peer_that_takes_a_little_is_not_stuck() {
        let start = Instant::now();
        let mut patience = patience(start);
        for second in 0..60 {
            let now = start + seconds(second);
            patience.stuck(second % 15 == 0, &Now::at(now));
            assert_eq!(patience.verdict(false, now), Verdict::Wait);
        }
        assert_eq!(patience.verdict(false, start + seconds(65)), Verdict::Stuck);
        patience.unstuck();
        assert_eq!(patience.verdict(false, start + seconds(65)), Verdict::Wait);
    }

    #[test]
    fn a_closing_connection_has_its_time_once() {
        let start = Instant::now();
        let mut patience = patience(start);
        assert!(!patience.is_closing() && !patience.has_drained(start + seconds(100)));
        assert!(patience.close(&Now::at(start)) && !patience.close(&Now::at(start + seconds(3))));
        assert_eq!(patience.due(), Some(start + seconds(5)));
        assert!(!patience.has_drained(start + seconds(4)) && patience.has_drained(start + seconds(5)));
        assert!(!patience.has_drained(start + seconds(6)) && patience.is_closing());
        assert!(patience.due() > Some(start + seconds(6)));
    }
}
