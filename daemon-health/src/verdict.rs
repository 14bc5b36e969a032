//! What an answer means, and what several mean together. Pure: no clock, no I/O.

use daemon_core::CheckKind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The health of one thing, or of all of them. Written in lower case.
///
/// They are ordered from good to bad, and the worst one speaks for all. Not knowing is worse than being degraded, since what is
/// not known may be anything, and better than knowing that something fails.
///
/// ```
/// use daemon_health::HealthStatus::{Degraded, Healthy, Unhealthy, Unknown};
///
/// assert!(Healthy < Degraded && Degraded < Unknown && Unknown < Unhealthy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It works.
    Healthy,
    /// It works, less well than it should.
    Degraded,
    /// Nobody has looked, or there was nothing to see.
    Unknown,
    /// It does not work.
    Unhealthy,
}

impl HealthStatus {
    /// The verdict on all of them: the worst one. None at all is healthy, for nothing fails.
    ///
    /// ```
    /// use daemon_health::HealthStatus::{self, Degraded, Healthy, Unhealthy};
    ///
    /// assert_eq!(HealthStatus::of_all([Healthy, Degraded]), Degraded);
    /// assert_eq!(HealthStatus::of_all([Unhealthy, Healthy, Degraded]), Unhealthy);
    /// assert_eq!(HealthStatus::of_all([]), Healthy);
    /// ```
    pub fn of_all(statuses: impl IntoIterator<Item = Self>) -> Self {
        statuses.into_iter().max().unwrap_or(Self::Healthy)
    }

    /// Whether this is [`Healthy`](Self::Healthy) and nothing less.
    #[must_use]
    pub const fn is_healthy(self) -> bool {
        matches!(self, Self::Healthy)
    }

    /// Whether it is a yes to what a kind of check speaks of: alive unless unhealthy, ready and started if healthy or degraded. Not
    /// knowing kills nobody, and lets nobody in.
    #[must_use]
    pub const fn passes(self, kind: Option<CheckKind>) -> bool {
        match kind {
            Some(CheckKind::Liveness) => !matches!(self, Self::Unhealthy),
            _ => matches!(self, Self::Healthy | Self::Degraded),
        }
    }

    /// The word that is written for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one check answers: a status and, unless all is well, a sentence for the person who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The status.
    pub status: HealthStatus,
    /// Why.
    pub message: Option<String>,
}

impl Verdict {
    /// All is well.
    #[must_use]
    pub const fn healthy() -> Self {
        Self { status: HealthStatus::Healthy, message: None }
    }

    /// It works, less well than it should.
    pub fn degraded(why: impl Into<String>) -> Self {
        Self { status: HealthStatus::Degraded, message: Some(why.into()) }
    }

    /// It cannot be told.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { status: HealthStatus::Unknown, message: Some(why.into()) }
    }

    /// It does not work.
    pub fn unhealthy(why: impl Into<String>) -> Self {
        Self { status: HealthStatus::Unhealthy, message: Some(why.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::HealthStatus::{self, Degraded, Healthy, Unhealthy, Unknown};

    const ALL: [HealthStatus; 4] = [Healthy, Degraded, Unknown, Unhealthy];

    /// The rule in words, written another way than the code.
    fn expected(statuses: &[HealthStatus]) -> HealthStatus {
        if statuses.contains(&Unhealthy) {
            Unhealthy
        } else if statuses.contains(&Unknown) {
            Unknown
        } else if statuses.contains(&Degraded) {
            Degraded
        } else {
            Healthy
        }
    }

    #[test]
    fn the_worst_speaks_for_all_in_every_combination_of_up_to_four() {
        let mut rows: Vec<Vec<HealthStatus>> = vec![vec![]];
        for length in 1..=4 {
            let shorter: Vec<_> = rows.iter().filter(|row| row.len() == length - 1).cloned().collect();
            rows.extend(shorter.iter().flat_map(|row| ALL.map(|status| [&row[..], &[status]].concat())));
        }
        assert_eq!(rows.len(), 1 + 4 + 16 + 64 + 256);
        for row in rows {
            assert_eq!(HealthStatus::of_all(row.iter().copied()), expected(&row), "{row:?}");
        }
    }

    #[test]
    fn each_is_written_as_its_word_and_read_back() {
        for status in ALL {
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
            assert_eq!(serde_json::from_str::<HealthStatus>(&json).unwrap(), status);
        }
    }

    #[test]
    fn only_healthy_is_healthy() {
        assert_eq!(ALL.map(HealthStatus::is_healthy), [true, false, false, false]);
    }
}
