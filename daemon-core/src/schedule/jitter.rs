//! Random delays that keep intervals of many processes apart.

use std::time::Duration;

use daemon_grammar::Percent;

use crate::task::chance;

/// A delay by chance, up to a share of a period; both in nanoseconds.
pub(super) fn delay(share: Percent, period: u64) -> u64 {
    let most = share.of(Duration::from_nanos(period)).as_nanos();
    (most as f64 * chance()) as u64 // as large as fits, if it does not
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_differ_and_keep_to_their_share() {
        let tenth = Percent::from_hundredths(1_000);
        let drawn: Vec<u64> = (0..1_000).map(|_| delay(tenth, 1_000_000)).collect();
        assert!(drawn.iter().all(|delay| *delay <= 100_000));
        assert!(drawn.iter().any(|delay| *delay < 20_000) && drawn.iter().any(|delay| *delay > 80_000));
        assert_eq!(delay(Percent::default(), u64::MAX), 0);
    }
}
