//! Which calls of a handler are looked at: timed, or watched for a publisher that waits. The others only count down to the next
//! such.

/// How many calls that do not suspend go unseen between two that are timed, once there have been many: reading the clock
/// twice costs as much as a short call.
const TIMED_EVERY: u64 = 64;

/// The sample that is timed of the calls of one handler that do not suspend. Those that do are all timed, and are no part of it.
#[derive(Debug)]
pub(super) struct Sample {
    /// How many calls may still begin unseen.
    unseen: u64,
    /// How many that were when it was last set.
    granted: u64,
    /// Calls since the last one that was timed, before `unseen` was last set.
    before: u64,
    /// Of how many calls one is timed.
    every: u64,
}

impl Sample {
    pub(super) fn new() -> Self {
        Self { unseen: 0, granted: 0, before: 0, every: 1 }
    }

    /// A call begins: whether it may do so unseen.
    #[inline]
    pub(super) fn passes(&mut self) -> bool {
        let passes = self.unseen > 0;
        self.unseen -= u64::from(passes);
        passes
    }

    /// The next call is to be looked at.
    pub(super) fn interrupt(&mut self) {
        self.before += self.granted - self.unseen;
        (self.granted, self.unseen) = (0, 0);
    }

    /// A call begins that is looked at.
    pub(super) fn looks(&mut self) {
        self.interrupt();
        self.before += 1;
    }

    /// A call suspends, `seen` or not: it is no part of the sample.
    pub(super) fn suspended(&mut self, seen: bool) {
        if seen {
            self.before -= 1;
        } else {
            self.unseen += 1;
        }
    }

    /// A call was timed and did not suspend; for how many calls it stands. With `more` to be looked at, the next one is.
    pub(super) fn timed(&mut self, more: bool) -> u64 {
        let stands_for = std::mem::take(&mut self.before);
        self.every = (self.every * 2).min(TIMED_EVERY);
        self.granted = if more { 0 } else { self.every - 1 };
        self.unseen = self.granted;
        stands_for
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    /// Makes a call; for how many it stands, if it is timed.
    fn call(sample: &mut Sample, suspends: bool) -> Option<u64> {
        let seen = !sample.passes();
        if seen {
            sample.looks();
        }
        if suspends {
            sample.suspended(seen);
            return None;
        }
        seen.then(|| sample.timed(false))
    }

    #[test]
    fn each_timed_call_stands_for_those_since_the_one_before() {
        let mut sample = Sample::new();
        let timed: Vec<_> = (0..300).filter_map(|_| call(&mut sample, false)).collect();
        assert_eq!(timed, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn calls_that_suspend_are_no_part_of_it() {
        let mut sample = Sample::new();
        let timed: Vec<_> = (0..600).filter_map(|number| call(&mut sample, number % 2 == 0)).collect();
        assert_eq!(timed, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn an_interruption_loses_no_call() {
        let mut sample = Sample::new();
        let mut counted = 0;
        for number in 0..1000 {
            if number % 7 == 0 {
                sample.interrupt();
            }
            counted += call(&mut sample, false).unwrap_or(0);
        }
        sample.interrupt();
        assert_eq!(counted + call(&mut sample, false).unwrap(), 1001);
    }
}
