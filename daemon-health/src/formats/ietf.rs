//! `application/health+json`, as the draft [draft-inadarei-api-health-check](https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06) has it.

use crate::{HealthReport, HealthStatus, millis};
use serde_json::{Map, Value, json};

/// The media type of [`health_json`].
pub const HEALTH_JSON: &str = "application/health+json";

/// A report by the IETF draft: `pass` if all is well, `fail` where the report says no, `warn` between the two. A server answers `pass` and
/// `warn` with a status below 400, `fail` with one above.
#[must_use]
pub fn health_json(report: &HealthReport) -> Value {
    let status = |status: HealthStatus| match status {
        HealthStatus::Healthy => "pass",
        status if status.passes(report.kind) => "warn",
        _ => "fail",
    };
    let checks = report.checks.iter().map(|(name, check)| {
        let mut one = Map::from_iter([
            ("componentId".to_owned(), json!(name)),
            ("status".to_owned(), json!(status(check.status))),
            ("observedValue".to_owned(), json!(millis::of(check.duration))),
            ("observedUnit".to_owned(), json!("ms")),
        ]);
        // The draft has `output` only beside what is not well.
        if let Some(message) = check.message.as_ref().filter(|_| !check.status.is_healthy()) {
            one.insert("output".to_owned(), json!(**message));
        }
        (format!("{name}:responseTime"), json!([one]))
    });
    let mut all = Map::from_iter([
        ("status".to_owned(), json!(status(report.status))),
        ("checks".to_owned(), Value::Object(checks.collect())),
    ]);
    if !report.is_passing() {
        all.insert("output".to_owned(), json!(report.reasons().join("; ")));
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::{empty, sample};

    #[test]
    fn golden() {
        let one = |name: &str, status: &str, ms: u64| json!({"componentId": name, "status": status, "observedValue": ms, "observedUnit": "ms"});
        let with = |mut one: Value, output: &str| {
            one["output"] = json!(output);
            json!([one])
        };
        assert_eq!(
            health_json(&sample()),
            json!({
                "status": "fail",
                "output": "data.index: unknown; proxy.upstream: refused\nby the peer",
                "checks": {
                    "data.index:responseTime": [one("data.index", "fail", 2)],
                    "data.store:responseTime": [one("data.store", "pass", 0)],
                    "host.disk:responseTime": with(one("host.disk", "warn", 1), "9 % free"),
                    "proxy.upstream:responseTime": with(one("proxy.upstream", "fail", 3), "refused\nby the peer"),
                }
            })
        );
        assert_eq!(health_json(&empty()), json!({"status": "pass", "checks": {}}));
    }
}
