//! Numbers by chance, which spread delays so that many processes do not act in step.

use std::hash::{BuildHasher, RandomState};

/// A number from 0 to 1.
pub(crate) fn chance() -> f64 {
    let drawn = || RandomState::new().hash_one(0_u8);
    #[cfg(feature = "testing")]
    let number = fixed::next().unwrap_or_else(drawn);
    #[cfg(not(feature = "testing"))]
    let number = drawn();
    number as f64 / u64::MAX as f64
}

#[cfg(feature = "testing")]
pub(crate) use fixed::fix;

/// What a test put in the place of chance.
#[cfg(feature = "testing")]
mod fixed {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    pub(crate) fn fix(seed: u64) {
        STATE.set(Some(seed));
    }

    /// The next number of splitmix64.
    pub(super) fn next() -> Option<u64> {
        let state = STATE.get()?.wrapping_add(0x9E37_79B9_7F4A_7C15);
        STATE.set(Some(state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(mixed ^ (mixed >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spread_between_0_and_1() {
        let drawn: Vec<_> = (0..1_000).map(|_| chance()).collect();
        assert!(drawn.iter().all(|number| (0.0..=1.0).contains(number)));
        for tenth in 0..10 {
            let here = drawn.iter().filter(|number| (**number * 10.0) as u32 == tenth).count();
            assert!((40..200).contains(&here), "{here} of 1000 are in tenth {tenth}");
        }
    }

    #[cfg(feature = "testing")]
    #[test]
    fn what_a_test_fixed_comes_again() {
        let three = |seed| {
            fix(seed);
            [chance(), chance(), chance()]
        };
        assert_eq!(three(7), three(7));
        assert_ne!(three(7), three(8));
        let [first, second, third] = three(7);
        assert!(first != second && second != third, "one after the other");
    }
}
