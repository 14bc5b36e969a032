//! What health is asked beside the path, as kube-apiserver's health endpoints are, and in which format. Pure.
//!
//! <https://kubernetes.io/docs/reference/using-api/health-checks/>

use crate::HealthReport;
use crate::formats::verbose;

/// How health is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// That of kube-apiserver: a word, or a line for each check.
    Text,
    /// That of `@outfitter/daemon`, with more keys.
    Json,
    /// That of the IETF draft.
    HealthJson,
    /// That of MicroProfile Health.
    MicroProfile,
}

impl Format {
    const ALL: [(&'static str, Self); 4] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("health+json", Self::HealthJson),
        ("microprofile", Self::MicroProfile),
    ];

    fn read(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let known = Self::ALL.map(|(known, _)| known).join(", ");
            format!("there is no format {name:?}; there are: {known}\n")
        })
    }
}

/// What is asked beside the path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    verbose: bool,
    exclude: Vec<String>,
    format: Option<Format>,
}

impl Asked {
    /// Reads a query. What it does not know is nothing, as elsewhere; a format that is none is a fault, in words.
    pub(super) fn read(query: Option<&str>) -> Result<Self, String> {
        let mut asked = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value);
            match key {
                "verbose" => asked.verbose = value != "false" && value != "0",
                "exclude" if !value.is_empty() => asked.exclude.push(value),
                "format" => asked.format = Some(Format::read(&value.replace(' ', "+"))?),
                _ => {}
            }
        }
        Ok(asked)
    }

    /// The format asked for by name.
    pub(super) fn format(&self) -> Option<Format> {
        self.format
    }

    /// A report without the checks that were to be left out, and a line about each of those.
    pub(super) fn without_excluded(&self, report: HealthReport) -> (HealthReport, String) {
        if self.exclude.is_empty() {
            return (report, String::new());
        }
        let HealthReport { kind, checks: all, uptime, .. } = report;
        let is_out = |name: &str| self.exclude.iter().any(|out| out == name);
        let excluded = all.keys().filter(|name| is_out(name)).map(|name| format!("[+]{name} excluded: ok\n"));
        let unknown = self.exclude.iter().filter(|name| !all.contains_key(name));
        let unknown = unknown.map(|name| format!("warn: there is no check named {name:?} to exclude\n"));
        let notes = excluded.chain(unknown).collect();
        let checks = all.into_iter().filter(|(name, _)| !is_out(name)).collect();
        (HealthReport::new(kind, checks, uptime), notes)
    }

    /// What is said of a report, after the lines about what was left out: a word if it passes, all of it if not, or if that is asked for.
    pub(super) fn text(&self, report: &HealthReport, notes: &str) -> String {
        if report.is_passing() && !self.verbose { "ok".to_owned() } else { notes.to_owned() + &verbose(report) }
    }
}

/// The text of a value in a query: `%2F` is a slash, `+` a blank. What only looks like that stays as it is.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (byte, used) = match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'%'), 2),
            (b'+', ..) => (b' ', 0),
            (byte, ..) => (*byte, 0),
        };
        bytes.push(byte);
        rest = after.get(used..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::{empty, sample};

    /// Whether it passes, and what is said.
    fn answer(query: Option<&str>, report: HealthReport) -> (bool, String) {
        let asked = Asked::read(query).unwrap();
        let (report, notes) = asked.without_excluded(report);
        (report.is_passing(), asked.text(&report, &notes))
    }

    #[test]
    fn what_passes_is_told_in_one_word_unless_asked() {
        assert_eq!(answer(None, empty()), (true, "ok".to_owned()));
        assert_eq!(answer(Some("verbose"), empty()), (true, "livez check passed\n".to_owned()));
        assert_eq!(answer(Some("verbose=false"), empty()).1, "ok");
    }

    #[test]
    fn what_fails_is_told_in_full_and_a_check_can_be_left_out() {
        let (passes, text) = answer(None, sample());
        assert!(!passes && text.contains("[-]proxy.upstream failed: refused by the peer\n"), "{text}");
        let (passes, text) = answer(Some("exclude=proxy%2Eupstream&exclude=data.inde%78&verbose"), sample());
        assert!(passes && text.starts_with("[+]data.index excluded: ok\n[+]proxy.upstream excluded: ok\n"), "{text}");
        let (passes, text) = answer(Some("exclude=proxy.upstraem&exclude="), sample());
        assert!(!passes && text.contains("no check named \"proxy.upstraem\""), "{text}");
    }

    #[test]
    fn values_are_read_as_browsers_write_them() {
        for (written, text) in [
            ("the%20store+of%20it", "the store of it"),
            ("caf%C3%A9", "café"),
            ("a%2fb%2Fc", "a/b/c"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%F0%28", "\u{fffd}("),
            ("%%41", "%A"),
        ] {
            assert_eq!(decoded(written), text, "{written}");
        }
    }

    #[test]
    fn a_format_is_asked_for_by_name_and_one_that_is_none_refused() {
        for (query, format) in [
            ("format=microprofile", Format::MicroProfile),
            ("format=health%2Bjson", Format::HealthJson),
            ("format=health+json", Format::HealthJson),
            ("verbose&format=text", Format::Text),
            ("format=json", Format::Json),
        ] {
            assert_eq!(Asked::read(Some(query)).unwrap().format(), Some(format), "{query}");
        }
        let fault = Asked::read(Some("format=xml")).unwrap_err();
        assert_eq!(fault, "there is no format \"xml\"; there are: text, json, health+json, microprofile\n");
    }
}
