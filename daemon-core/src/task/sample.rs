//! Which calls of a handler are looked at: timed, or watched for a publisher that waits. The others only count down to the next
//! such.

/// How many calls that do not suspend go unseen between two that are timed, once there have been many: reading the clock
/// twice costs as much as a short call.
const TIMED_EVERY: u32 = 64;

/// How many calls must suspend before a handler counts as one whose calls all do, for which the time is read less exactly.
const EXACT_FIRST: u32 = 8;
/// The same once there has been one that did not.
const EXACT_AGAIN: u32 = 256;

/// The sample that is timed of the calls of one handler that do not suspend. Those that do are all timed, and are no part of it.
///
/// How many calls may still begin unseen is kept by the caller, who has it at hand: `unseen`. A call that begins takes 1 from it, and
/// is looked at where it is 0.
#[derive(Debug)]
pub(super) struct Sample {
    /// What `unseen` was when it was last set.
    granted: u32,
    /// Of how many calls one is timed.
    every: u32,
    /// Calls since the last one that was timed, before `unseen` was last set.
    before: u64,
    /// For how many calls more the time is read exactly; one that suspends takes 1 from it.
    exact: u32,
}

impl Sample {
    pub(super) fn new() -> Self {
        Self { granted: 0, every: 1, before: 0, exact: EXACT_FIRST }
    }

    /// The next call is to be looked at.
    pub(super) fn interrupt(&mut self, unseen: &mut u32) {
        self.before += u64::from(self.granted - *unseen);
        (self.granted, *unseen) = (0, 0);
    }

    /// A call begins that is looked at; whether the time of its beginning has to be exact, since it may not suspend.
    pub(super) fn looks(&mut self, unseen: &mut u32) -> bool {
        self.interrupt(unseen);
        self.before += 1;
        self.exact > 0
    }

    /// A call suspends, `seen` or not: it is no part of the sample.
    pub(super) fn suspended(&mut self, seen: bool, unseen: &mut u32) {
        self.exact = self.exact.saturating_sub(1);
        if !seen {
            *unseen += 1;
            return;
        }
        self.before -= 1;
        if self.exact == 0 {
            // the next will suspend, too, and be timed from then on
            self.granted = self.every;
            *unseen = self.granted;
        }
    }

    /// A call did not suspend whose beginning was not exact: it is counted with the next, which will be.
    pub(super) fn missed(&mut self) {
        self.exact = EXACT_AGAIN;
    }

    /// A call was timed and did not suspend; for how many calls it stands. With `more` to be looked at, the next one is.
    pub(super) fn timed(&mut self, more: bool, unseen: &mut u32) -> u64 {
        let stands_for = std::mem::take(&mut self.before);
        self.every = (self.every * 2).min(TIMED_EVERY);
        self.exact = EXACT_AGAIN;
        self.granted = if more { 0 } else { self.every - 1 };
        *unseen = self.granted;
        stands_for
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    struct Handler {
        unseen: u32,
        sample: Sample,
    }

    impl Handler {
        fn new() -> Self {
            Self { unseen: 0, sample: Sample::new() }
        }

        /// Makes a call; for how many it stands, if it is timed.
        fn call(&mut self, suspends: bool) -> Option<u64> {
            let (seen, mut exact) = (self.unseen == 0, false);
            if seen {
                exact = self.sample.looks(&mut self.unseen);
            } else {
                self.unseen -= 1;
            }
            if suspends {
                self.sample.suspended(seen, &mut self.unseen);
                return None;
            }
            if seen && !exact {
                self.sample.missed();
                return None;
            }
            seen.then(|| self.sample.timed(false, &mut self.unseen))
        }
    }

    #[test]
    fn each_timed_call_stands_for_those_since_the_one_before() {
        let mut handler = Handler::new();
        let timed: Vec<_> = (0..300).filter_map(|_| handler.call(false)).collect();
        assert_eq!(timed, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn calls_that_suspend_are_no_part_of_it() {
        let mut handler = Handler::new();
        let timed: Vec<_> = (0..600).filter_map(|number| handler.call(number % 2 == 0)).collect();
        assert_eq!(timed, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn a_call_that_does_not_suspend_after_many_that_did_is_not_lost() {
        let mut handler = Handler::new();
        assert!((0..100).all(|_| handler.call(true).is_none()));
        assert_eq!(handler.call(false), None, "nobody had expected it");
        let timed: Vec<_> = (0..6).filter_map(|_| handler.call(false)).collect();
        assert_eq!(timed, [3, 2], "one that was not seen, one that was not exact, and this");
        let counted: u64 = (0..600).filter_map(|number| handler.call(number % 3 > 0)).sum();
        assert!((150..=200).contains(&counted), "{counted} of the 200 that do not");
    }

    #[test]
    fn an_interruption_loses_no_call() {
        let mut handler = Handler::new();
        let mut counted = 0;
        for number in 0..1000 {
            if number % 7 == 0 {
                handler.sample.interrupt(&mut handler.unseen);
            }
            counted += handler.call(false).unwrap_or(0);
        }
        handler.sample.interrupt(&mut handler.unseen);
        assert_eq!(counted + handler.call(false).unwrap(), 1001);
    }
}
