//! JSON text at the speed of the wire. Owns checking it ([`scan`]), reading values from it ([`read`]), writing it ([`write`]) and
//! holding it ([`Json`]); what it means is serde's and the caller's.
//!
//! Invariants:
//! 1. What [`scan`] takes for a value, `serde_json` does; what it refuses, somebody else must be asked about.
//! 2. What [`read`] reads is what `serde_json` reads, and what it refuses, that refuses in the same words.
//! 3. What [`write`] writes is what `serde_json` writes, byte for byte, and it fails where that fails.
//!
//! They exist because strings are what large messages are made of: looking at them byte by byte, as `serde_json` does when it
//! writes, or word by word, as it does when it reads, costs more than the kernel takes to carry them.

mod read;
mod scan;
mod text;
mod write;

pub(crate) use read::read;
pub(crate) use scan::{after_string, value_end};
pub use text::Json;
pub(crate) use write::write;

/// How many bytes from the start stand for themselves inside a JSON string.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    // Most strings are keys, and short.
    match bytes.first_chunk().map(specials) {
        Some(0) => longer_plain(bytes),
        Some(special) => place(special),
        None => bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len()),
    }
}

/// The same of a string that is not as short.
fn longer_plain(bytes: &[u8]) -> usize {
    const LONG: usize = 128;
    // From the start, since that is where blocks fit best.
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk() {
        if has_special(block) {
            break;
        }
        rest = after;
        if bytes.len() - rest.len() > LONG {
            return long_plain(bytes, bytes.len() - rest.len());
        }
    }
    while let Some((word, after)) = rest.split_first_chunk() {
        let special = specials(word);
        if special != 0 {
            return bytes.len() - rest.len() + place(special);
        }
        rest = after;
    }
    let at = bytes.len() - rest.len();
    at + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

const WORD: usize = size_of::<u64>();
const BLOCK: usize = 4 * WORD;

/// Whether there is a special byte. Without an exit inside and with one comparison for each byte, so that the compiler looks at as many at
/// once as the processor can.
#[inline]
fn has_special(block: &[u8; BLOCK]) -> bool {
    const CONTROL: u8 = !(b' ' - 1);
    block.iter().fold(false, |any, byte| any | ((byte ^ b'"').min(byte ^ b'\\').min(byte & CONTROL) == 0))
}

/// The same of a long string. Looks for the special bytes that are common by themselves, which is done
/// by as many bytes at once as the processor can, and makes sure that there are no others.
fn long_plain(bytes: &[u8], at: usize) -> usize {
    // A control character is found only after its block was searched for the others.
    const BLOCK: usize = 512;
    let mut at = at;
    for block in bytes[at..].chunks(BLOCK) {
        let run = memchr::memchr2(b'"', b'\\', block).unwrap_or(block.len());
        let lowest = block[..run].iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte));
        if lowest < b' ' {
            return at + block.iter().position(|byte| *byte < b' ').unwrap_or(run);
        }
        at += run;
        if run < block.len() {
            break;
        }
    }
    at
}

#[inline]
const fn is_special(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

/// The highest bit of the first byte that is special, as the lowest bit that is set; none if there is no such byte.
///
/// Subtracting borrows from the bytes above a special one, so those above the first may be marked wrongly.
#[inline]
const fn specials(word: &[u8; WORD]) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES * 0x80;
    let word = u64::from_le_bytes(*word);
    let control = word.wrapping_sub(ONES * b' ' as u64);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & HIGH
}

/// The place of the first byte that is marked.
#[inline]
const fn place(special: u64) -> usize {
    special.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_ends_at_the_first_special_byte_wherever_it_is() {
        for length in (0..200).chain([511, 512, 519, 520, 521, 551, 552, 553, 647, 648, 649, 680, 1024, 1100]) {
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
