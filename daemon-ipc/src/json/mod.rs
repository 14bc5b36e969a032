//! JSON text at the speed of the wire. Owns checking it without reading it ([`scan`]), writing it ([`write`]) and holding it
//! ([`Json`]); what it means is serde's and the caller's.
//!
//! Invariants:
//! 1. What [`scan`] takes for a value, `serde_json` does; what it refuses, somebody else must be asked about.
//! 2. What [`write`] writes is what `serde_json` writes, byte for byte, and it fails where that fails.
//!
//! Both exist because strings are what large messages are made of: looking at them byte by byte, as `serde_json` does when it
//! writes, costs more than the kernel takes to carry them.

mod scan;
mod text;
mod write;

pub(crate) use scan::value_end;
pub use text::Json;
pub(crate) use write::write;

/// How many bytes from the start stand for themselves inside a JSON string.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    // Blocks of a fixed size without an early exit, so that the compiler looks at many bytes at once.
    const BLOCK: usize = 32;
    let mut at = 0;
    while let Some(block) = bytes.get(at..at + BLOCK) {
        if block.iter().fold(false, |found, byte| found | is_special(*byte)) {
            break;
        }
        at += BLOCK;
    }
    let rest = &bytes[at..];
    at + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

#[inline]
const fn is_special(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_ends_at_the_first_special_byte_wherever_it_is() {
        for length in 0..100 {
            let mut text = vec![b'x'; length];
            assert_eq!(plain(&text), length);
            for at in 0..length {
                for special in [0, 0x1F, b'"', b'\\'] {
                    text[at] = special;
                    assert_eq!(plain(&text), at);
                }
                for ordinary in [b' ', 0x7F, 0x80, 0xFF] {
                    text[at] = ordinary;
                    assert_eq!(plain(&text), length);
                }
            }
        }
    }
}
