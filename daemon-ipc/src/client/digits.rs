//! The ids of requests as they are sent: numbers in quotes, written without an allocation.

/// The number of a request in the form it is sent: digits in quotes.
pub(super) fn number_of(id: &str) -> Option<u64> {
    id.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// A number as text, without an allocation.
#[derive(Default)]
pub(super) struct Digits([u8; 22]);

impl Digits {
    /// In quotes, as ids are.
    pub(super) fn quoted(&mut self, number: u64) -> &str {
        self.write(number, b"\"")
    }

    pub(super) fn plain(&mut self, number: u64) -> &str {
        self.write(number, b"")
    }

    fn write(&mut self, number: u64, quote: &[u8]) -> &str {
        let mut rest = number;
        let end = self.0.len() - quote.len();
        self.0[end..].copy_from_slice(quote);
        let mut at = end;
        loop {
            at -= 1;
            self.0[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.0[at - quote.len()..at].copy_from_slice(quote);
        // Digits and quotes are text.
        std::str::from_utf8(&self.0[at - quote.len()..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_and_read_back() {
        for number in [0, 7, 10, 12345, u64::MAX] {
            assert_eq!(Digits::default().plain(number), number.to_string());
            assert_eq!(Digits::default().quoted(number), format!("\"{number}\""));
            assert_eq!(number_of(Digits::default().quoted(number)), Some(number));
        }
        for id in ["7", "\"\"", "\"7", "\"-7\"", "\"a\"", "{}"] {
            assert_eq!(number_of(id), None);
        }
    }
}
