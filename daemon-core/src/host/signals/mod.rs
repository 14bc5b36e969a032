//! The process's signals as the host sees them; each platform is one file.

#[cfg(unix)]
mod early;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::time::Duration;

use tokio::time::Instant;

#[cfg(unix)]
pub(super) use unix::Signals;
#[cfg(windows)]
pub(super) use windows::Signals;

/// A request from outside, to end the process or to reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    /// What people call it.
    pub(super) name: &'static str,
    /// The code a forced exit ends with.
    pub(super) forced_code: u8,
    /// Whether a second one may force the exit.
    pub(super) forces: bool,
    /// Whether it asks for a reload, and for no end.
    pub(super) reloads: bool,
    /// How long the system itself allows.
    pub(super) within: Option<Duration>,
}

#[cfg(any(unix, feature = "testing"))]
impl Signal {
    pub(crate) const INT: Self =
        Self { name: "SIGINT", forced_code: 128 + 2, forces: true, reloads: false, within: None };
    pub(crate) const TERM: Self =
        Self { name: "SIGTERM", forced_code: 128 + 15, forces: true, reloads: false, within: None };
    /// The terminal is gone. It stops but never forces.
    pub(crate) const HUP: Self =
        Self { name: "SIGHUP", forced_code: 128 + 1, forces: false, reloads: false, within: None };
    /// The same signal where there never was a terminal.
    pub(crate) const RELOAD: Self = Self { reloads: true, ..Self::HUP };
}

/// Wrappers deliver one key press twice; signals this close together are one.
const SAME_PRESS: Duration = Duration::from_millis(500);

/// Decides what each signal means: pure but for the time it is given.
#[derive(Debug, Default)]
pub(super) struct Presses {
    first: Option<Instant>,
}

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Begin the shutdown.
    Stop,
    /// Exit at once.
    Force,
    /// Reload.
    Reload,
    /// Nothing new.
    Nothing,
}

impl Presses {
    pub(super) fn judge(&mut self, signal: Signal, now: Instant) -> Meaning {
        match self.first {
            None if signal.reloads => Meaning::Reload,
            None => {
                self.first = Some(now);
                Meaning::Stop
            }
            Some(first) if signal.forces && now.saturating_duration_since(first) >= SAME_PRESS => Meaning::Force,
            Some(_) => Meaning::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Signal = Signal { name: "any", forced_code: 1, forces: true, reloads: false, within: None };
    const GENTLE: Signal = Signal { forces: false, ..ANY };

    #[test]
    fn a_second_signal_forces_only_after_half_a_second() {
        let (mut presses, t0) = (Presses::default(), Instant::now());
        assert_eq!(presses.judge(ANY, t0), Meaning::Stop);
        assert_eq!(presses.judge(ANY, t0 + Duration::from_millis(1)), Meaning::Nothing);
        assert_eq!(presses.judge(ANY, t0 + Duration::from_millis(499)), Meaning::Nothing);
        assert_eq!(presses.judge(ANY, t0 + Duration::from_millis(500)), Meaning::Force);
    }

    #[test]
    fn a_reload_stops_nothing_and_is_nothing_in_a_stop() {
        let (mut presses, t0) = (Presses::default(), Instant::now());
        let reload = Signal { reloads: true, ..GENTLE };
        assert_eq!(presses.judge(reload, t0), Meaning::Reload);
        assert_eq!(presses.judge(reload, t0), Meaning::Reload);
        assert_eq!(presses.judge(ANY, t0), Meaning::Stop);
        assert_eq!(presses.judge(reload, t0 + Duration::from_secs(9)), Meaning::Nothing);
    }

    #[test]
    fn a_hang_up_stops_but_never_forces() {
        let (mut presses, t0) = (Presses::default(), Instant::now());
        assert_eq!(presses.judge(GENTLE, t0), Meaning::Stop);
        assert_eq!(presses.judge(GENTLE, t0 + Duration::from_secs(9)), Meaning::Nothing);
        assert_eq!(presses.judge(ANY, t0 + Duration::from_secs(9)), Meaning::Force);
    }
}
