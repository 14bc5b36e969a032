//! A report as others write theirs: pure functions of it, one format a file. Its own JSON, by serde, is that of `@outfitter/daemon`
//! with more keys.

mod ietf;
mod kubernetes;
mod microprofile;

pub use ietf::{HEALTH_JSON, health_json};
pub use kubernetes::verbose;
pub use microprofile::microprofile;

#[cfg(test)]
pub(crate) mod tests {
    use crate::{CheckReport, Checks, HealthReport, HealthStatus};
    use daemon_core::CheckKind;
    use std::time::Duration;

    /// A report with one check of each status.
    pub(crate) fn sample() -> HealthReport {
        let statuses = [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Unknown, HealthStatus::Unhealthy];
        let messages = [None, Some("9 % free"), None, Some("refused\nby the peer")];
        let names = ["data.store", "host.disk", "data.index", "proxy.upstream"];
        let check = |at: usize| CheckReport {
            status: statuses[at],
            kind: CheckKind::Readiness,
            daemon: names[at]
                .split_once('.')
                .map(|(daemon, _)| daemon)
                .filter(|daemon| *daemon != "host")
                .map(Into::into),
            group: (at == 0).then(|| "stores".into()),
            message: messages[at].map(Into::into),
            duration: Duration::from_millis(at as u64),
            age: (at != 2).then_some(Duration::from_millis(1500)),
            failures: if at == 3 { 3 } else { 0 },
        };
        let checks = (0..4).map(|at| (names[at], check(at))).collect();
        HealthReport::new(Some(CheckKind::Readiness), checks, Duration::from_secs(61))
    }

    /// One without checks.
    pub(crate) fn empty() -> HealthReport {
        HealthReport::new(Some(CheckKind::Liveness), Checks::default(), Duration::ZERO)
    }
}
