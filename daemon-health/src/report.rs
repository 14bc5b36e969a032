//! What is told. Owns the shape of a report and how it is written; no clock.
//!
//! The JSON holds the keys of `@outfitter/daemon` 0.2 (`healthy`, `checks` by name with `healthy` and `message`, `uptime` in
//! whole seconds) and adds `status`, `duration_ms` and `age_ms`, so that whoever reads the former reads this.

use crate::HealthStatus;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::{collections::BTreeMap, time::Duration};

/// The answers of all checks and the verdict on them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthReport {
    /// The worst status of all checks.
    pub status: HealthStatus,
    /// Each check by name.
    pub checks: BTreeMap<String, CheckReport>,
    /// How long the checker has existed.
    pub uptime: Duration,
}

/// The answer of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// What it found.
    pub status: HealthStatus,
    /// Why, in words.
    pub message: Option<String>,
    /// How long it took; nothing if it was never asked.
    pub duration: Duration,
    /// How long ago it answered; `None` if it was never asked.
    pub age: Option<Duration>,
}

impl HealthReport {
    pub(crate) fn new(checks: BTreeMap<String, CheckReport>, uptime: Duration) -> Self {
        Self { status: HealthStatus::of_all(checks.values().map(|check| check.status)), checks, uptime }
    }
}

impl Serialize for HealthReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("HealthReport", 4)?;
        fields.serialize_field("healthy", &self.status.is_healthy())?;
        fields.serialize_field("status", &self.status)?;
        fields.serialize_field("checks", &self.checks)?;
        fields.serialize_field("uptime", &self.uptime.as_secs())?;
        fields.end()
    }
}

impl Serialize for CheckReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("CheckReport", 5)?;
        fields.serialize_field("healthy", &self.status.is_healthy())?;
        fields.serialize_field("status", &self.status)?;
        match &self.message {
            Some(message) => fields.serialize_field("message", message)?,
            None => fields.skip_field("message")?,
        }
        fields.serialize_field("duration_ms", &self.duration.as_millis())?;
        match self.age {
            Some(age) => fields.serialize_field("age_ms", &age.as_millis())?,
            None => fields.skip_field("age_ms")?,
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_written_with_the_keys_peers_know_and_more() {
        let checks = BTreeMap::from([
            (
                "cache".to_owned(),
                CheckReport {
                    status: HealthStatus::Unhealthy,
                    message: Some("connection refused".to_owned()),
                    duration: Duration::from_millis(3),
                    age: Some(Duration::from_millis(40)),
                },
            ),
            (
                "__proto__".to_owned(),
                CheckReport { status: HealthStatus::Unknown, message: None, duration: Duration::ZERO, age: None },
            ),
        ]);
        let report = HealthReport::new(checks, Duration::from_millis(2_999));
        assert_eq!(
            serde_json::to_value(report).unwrap(),
            json!({
                "healthy": false,
                "status": "unhealthy",
                "checks": {
                    "cache": {
                        "healthy": false, "status": "unhealthy", "message": "connection refused",
                        "duration_ms": 3, "age_ms": 40
                    },
                    "__proto__": { "healthy": false, "status": "unknown", "duration_ms": 0 }
                },
                "uptime": 2
            })
        );
    }
}
