//! Names of work: most are short, and then need no memory of their own.

use std::fmt;

/// How long a name may be that is kept in place.
const SHORT: usize = 22;

/// A text that does not change.
#[derive(Clone)]
pub(super) enum Name {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }
}

impl Name {
    /// Whether it is this text.
    pub(super) fn is(&self, text: &str) -> bool {
        self.bytes() == text.as_bytes()
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default() // it was a text
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_is_what_it_was() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 255, 256, 1_000] {
            let text = "é".repeat(length / 2) + if length % 2 == 1 { "x" } else { "" };
            assert_eq!(text.len(), length);
            let name = Name::from(&*text);
            assert_eq!(*name, *text);
            assert!(name.is(&text) && !name.is("another"));
        }
    }

    #[test]
    fn a_short_name_takes_no_more_than_a_long_one() {
        assert_eq!(size_of::<Name>(), 24);
        assert!(matches!(Name::from("x".repeat(SHORT).as_str()), Name::Short { .. }));
    }
}
