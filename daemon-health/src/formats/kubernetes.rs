//! The text of [kube-apiserver's health endpoints](https://kubernetes.io/docs/reference/using-api/health-checks/) with `?verbose`.

use crate::HealthReport;
use daemon_core::CheckKind;

/// A report as kube-apiserver writes it: a line a check, `[+]` if it passes and `[-]` if not, then the verdict.
#[must_use]
pub fn verbose(report: &HealthReport) -> String {
    let mut text = String::new();
    for (name, check) in &report.checks {
        let word = if check.status.passes(report.kind) { ("+", "ok") } else { ("-", "failed") };
        let why = match &check.message {
            Some(message) if !check.status.is_healthy() => format!(": {}", one_line(message)),
            _ => String::new(),
        };
        text.push_str(&format!("[{}]{name} {}{why}\n", word.0, word.1));
    }
    let name = match report.kind {
        Some(CheckKind::Liveness) => "livez",
        Some(CheckKind::Readiness) => "readyz",
        Some(CheckKind::Startup) => "startupz",
        _ => "healthz",
    };
    let verdict = if report.is_passing() { "passed" } else { "failed" };
    text + &format!("{name} check {verdict}\n")
}

/// What would break a line, or a terminal, as blanks.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::{empty, sample};

    #[test]
    fn golden() {
        let expected = "\
[-]data.index failed
[+]data.store ok
[+]host.disk ok: 9 % free
[-]proxy.upstream failed: refused by the peer
readyz check failed
";
        assert_eq!(verbose(&sample()), expected);
        assert_eq!(verbose(&empty()), "livez check passed\n");
    }
}
