//! How a probe is asked and answered, as kube-apiserver's health endpoints are. Pure.
//!
//! <https://kubernetes.io/docs/reference/using-api/health-checks/>

use std::collections::BTreeMap;

use crate::HealthReport;
use crate::formats::verbose;

/// What a probe is asked beside its path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    verbose: bool,
    exclude: Vec<String>,
}

impl Asked {
    pub(super) fn read(query: Option<&str>) -> Self {
        let mut asked = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("verbose", value) => asked.verbose = value != "false" && value != "0",
                ("exclude", name) if !name.is_empty() => asked.exclude.push(name.to_owned()),
                _ => {}
            }
        }
        asked
    }

    /// Whether the probe passes, and what is said of it.
    pub(super) fn answer(&self, report: HealthReport) -> (bool, String) {
        let is_out = |name: &String| self.exclude.contains(name);
        let (out, checks): (BTreeMap<_, _>, _) = report.checks.into_iter().partition(|(name, _)| is_out(name));
        let unknown = self.exclude.iter().filter(|name| !out.contains_key(*name));
        let report = HealthReport::new(report.kind, checks, report.uptime);
        if report.is_passing() && !self.verbose {
            return (true, "ok".to_owned());
        }
        let excluded = out.keys().map(|name| format!("[+]{name} excluded: ok\n"));
        let unknown = unknown.map(|name| format!("warn: there is no check named {name:?} to exclude\n"));
        (report.is_passing(), excluded.chain(unknown).chain([verbose(&report)]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::{empty, sample};

    #[test]
    fn what_passes_is_told_in_one_word_unless_asked() {
        assert_eq!(Asked::read(None).answer(empty()), (true, "ok".to_owned()));
        assert_eq!(Asked::read(Some("verbose")).answer(empty()), (true, "livez check passed\n".to_owned()));
        assert_eq!(Asked::read(Some("verbose=false")).answer(empty()).1, "ok");
    }

    #[test]
    fn what_fails_is_told_in_full_and_a_check_can_be_left_out() {
        let (passes, text) = Asked::read(None).answer(sample());
        assert!(!passes && text.contains("[-]proxy.upstream failed: refused by the peer\n"), "{text}");
        let (passes, text) = Asked::read(Some("exclude=proxy.upstream&exclude=data.index&verbose")).answer(sample());
        assert!(passes && text.starts_with("[+]data.index excluded: ok\n[+]proxy.upstream excluded: ok\n"), "{text}");
        let (passes, text) = Asked::read(Some("exclude=proxy.upstraem&exclude=")).answer(sample());
        assert!(!passes && text.contains("no check named \"proxy.upstraem\""), "{text}");
    }
}
