//! What health checks said last, as figures.

use super::family::Families;
use super::names::{Names, OTHERS};
use crate::{HealthReport, HealthStatus};

const STATUSES: [HealthStatus; 4] =
    [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Unknown, HealthStatus::Unhealthy];

pub(super) fn collect(report: &HealthReport, names: &mut Names, to: &mut Families) {
    let is = |status: HealthStatus, other: HealthStatus| u64::from(status == other);
    for status in STATUSES {
        let family = to.gauge("daemon_health_status", "1 for the status of all checks together, 0 for the others.");
        family.add(&[("status", status.as_str())], is(status, report.status));
        to.gauge("daemon_health_checks", "How many checks have this status.").add(&[("status", status.as_str())], 0);
    }
    for (name, check) in &report.checks {
        to.gauge("daemon_health_checks", "").add(&[("status", check.status.as_str())], 1);
        let daemon = check.daemon.as_deref().map(|daemon| names.told("daemon", "", daemon));
        let own = check.daemon.as_deref().and_then(|daemon| name.strip_prefix(daemon)?.strip_prefix('.'));
        let short = own.unwrap_or(name);
        let short = names.told("check", daemon.unwrap_or_default(), short);
        if short == OTHERS || daemon == Some(OTHERS) {
            continue; // counted above, which is all that can be said of several
        }
        let mut labels = vec![("check", short)];
        labels.extend(daemon.map(|daemon| ("daemon", daemon)));
        let family = to.gauge("daemon_health_check_status", "1 for the status of a check, 0 for the others.");
        for status in STATUSES {
            family.add(&[&labels[..], &[("status", status.as_str())]].concat(), is(status, check.status));
        }
        if let Some(age) = check.age {
            let took = to.gauge("daemon_health_check_duration_seconds", "How long the last answer of a check took.");
            took.add_real(&labels, check.duration.as_secs_f64());
            let family = to.gauge("daemon_health_check_age_seconds", "How old the last answer of a check is.");
            family.add_real(&labels, age.as_secs_f64());
        }
    }
}
