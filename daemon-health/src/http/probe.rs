//! How a probe is asked and answered: the text of kube-apiserver's health endpoints. Pure.
//!
//! <https://kubernetes.io/docs/reference/using-api/health-checks/>

use std::fmt::Write;

use super::verdict::Finding;

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
    pub(super) fn answer(&self, probe: &str, findings: &[Finding]) -> (bool, String) {
        let (mut text, mut passes) = (String::new(), true);
        for Finding { name, failure } in findings {
            let line = match failure {
                _ if self.exclude.contains(name) => format!("[+]{name} excluded: ok"),
                None => format!("[+]{name} ok"),
                Some(why) => {
                    passes = false;
                    format!("[-]{name} failed: {}", why.replace(['\r', '\n'], " "))
                }
            };
            push(&mut text, &line);
        }
        let unknown = |name: &&String| findings.iter().all(|finding| finding.name != **name);
        for name in self.exclude.iter().filter(unknown) {
            push(&mut text, &format!("warn: there is no check named {name:?} to exclude"));
        }
        push(&mut text, &format!("{probe} check {}", if passes { "passed" } else { "failed" }));
        if passes && !self.verbose {
            text = "ok".to_owned();
        }
        (passes, text)
    }
}

fn push(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    writeln!(text, "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let finding = |name: &str, failure: Option<&str>| Finding {
            name: name.to_owned(),
            failure: failure.map(ToOwned::to_owned),
        };
        vec![finding("daemons", None), finding("data.disk", Some("full:\nno byte left"))]
    }

    #[test]
    fn what_passes_is_told_in_one_word_unless_asked() {
        let fine = &findings()[..1];
        assert_eq!(Asked::read(None).answer("readyz", fine), (true, "ok".to_owned()));
        assert_eq!(
            Asked::read(Some("verbose")).answer("readyz", fine),
            (true, "[+]daemons ok\nreadyz check passed\n".to_owned())
        );
        assert_eq!(Asked::read(Some("verbose=false")).answer("readyz", fine).1, "ok");
    }

    #[test]
    fn what_fails_is_told_in_full_each_in_its_line() {
        let text = "[+]daemons ok\n[-]data.disk failed: full: no byte left\nreadyz check failed\n";
        assert_eq!(Asked::read(None).answer("readyz", &findings()), (false, text.to_owned()));
    }

    #[test]
    fn a_check_can_be_left_out() {
        let (passes, text) = Asked::read(Some("exclude=data.disk&verbose")).answer("readyz", &findings());
        assert!(passes);
        assert_eq!(text, "[+]daemons ok\n[+]data.disk excluded: ok\nreadyz check passed\n");
        let (passes, text) = Asked::read(Some("exclude=data.dsik&exclude=")).answer("readyz", &findings());
        assert!(!passes && text.contains("no check named \"data.dsik\""), "{text}");
    }
}
