//! One entry of the journal, as its [native protocol](https://systemd.io/JOURNAL_NATIVE_PROTOCOL/) has it. Pure.

/// Names that mean something to the journal, which no field of a program may have.
const TAKEN: [&str; 4] = ["MESSAGE", "PRIORITY", "TARGET", "ERRNO"];

/// How long a name may be.
const LONGEST: usize = 64;

/// Fields, one after the other.
#[derive(Debug, Default)]
pub(super) struct Entry(Vec<u8>);

impl Entry {
    /// Adds a field whose name is one already.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            self.0.push(b'\n');
            self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What a field of a program is called in the journal: in capitals, with `_` in the place of what may not be in a name, and `F_` before
/// what may not begin one or means something else there.
pub(super) fn name(field: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = field.chars().map(fit).collect();
    let is_first = name.starts_with(|c: char| c.is_ascii_uppercase());
    let is_taken = TAKEN.contains(&&*name) || name.starts_with("SYSLOG_") || name.starts_with("CODE_");
    let mut name = if is_first && !is_taken { name } else { format!("F_{name}") };
    name.truncate(LONGEST);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_the_journal_takes() {
        for (field, expected) in [
            ("daemon", "DAEMON"),
            ("took_ms", "TOOK_MS"),
            ("http.status", "HTTP_STATUS"),
            ("_pid", "F__PID"),
            ("9th", "F_9TH"),
            ("", "F_"),
            ("größe", "GR__E"),
            ("message", "F_MESSAGE"),
            ("priority", "F_PRIORITY"),
            ("syslog_facility", "F_SYSLOG_FACILITY"),
            ("code_line", "F_CODE_LINE"),
        ] {
            assert_eq!(name(field), expected);
        }
        assert_eq!(name(&"x".repeat(99)).len(), LONGEST);
    }

    #[test]
    fn a_value_of_several_lines_is_told_with_its_length() {
        let mut entry = Entry::default();
        entry.add("ONE", "a=b");
        entry.add("TWO", "a\nb");
        assert_eq!(entry.into_bytes(), b"ONE=a=b\nTWO\n\x03\0\0\0\0\0\0\0a\nb\n");
    }
}
