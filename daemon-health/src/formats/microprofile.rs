//! The wire format of [MicroProfile Health](https://download.eclipse.org/microprofile/microprofile-health-4.0/microprofile-health-spec-4.0.html).

use crate::{HealthReport, HealthStatus};
use serde_json::{Map, Value, json};

/// A report by MicroProfile Health: `UP` where it says yes, `DOWN` where it says no, and so for each check. A server answers with 200 and 503.
#[must_use]
pub fn microprofile(report: &HealthReport) -> Value {
    let word = |status: HealthStatus| if status.passes(report.kind) { "UP" } else { "DOWN" };
    let checks = report.checks.iter().map(|(name, check)| {
        let mut data = Map::new();
        data.insert("status".to_owned(), json!(check.status));
        if let Some(message) = &check.message {
            data.insert("message".to_owned(), json!(**message));
        }
        json!({"name": name, "status": word(check.status), "data": data})
    });
    json!({"status": word(report.status), "checks": checks.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::{empty, sample};

    #[test]
    fn golden() {
        assert_eq!(
            microprofile(&sample()),
            json!({
                "status": "DOWN",
                "checks": [
                    {"name": "data.index", "status": "DOWN", "data": {"status": "unknown"}},
                    {"name": "data.store", "status": "UP", "data": {"status": "healthy"}},
                    {"name": "host.disk", "status": "UP", "data": {"status": "degraded", "message": "9 % free"}},
                    {"name": "proxy.upstream", "status": "DOWN", "data": {"status": "unhealthy", "message": "refused\nby the peer"}},
                ]
            })
        );
        assert_eq!(microprofile(&empty()), json!({"status": "UP", "checks": []}));
    }
}
