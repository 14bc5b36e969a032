//! The decoder beside what anybody would write: cut at the newlines, and have `serde_json` read each line.

use super::super::*;
use crate::Limits;
use proptest::prelude::*;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What a line is: the parts of a message, or in which way it is none.
type Read = Result<(String, BTreeMap<String, String>), &'static str>;

const KEYS: [&str; 8] = ["id", "type", "hello", "deadline", "stream", "more", "topic", "payload"];

/// The keys of an object and their values as they stand there.
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn read_line(line: &[u8], limit: usize) -> Option<Read> {
    if line.len() > limit {
        return Some(Err("too long"));
    }
    let Ok(text) = std::str::from_utf8(line) else { return Some(Err("no text")) };
    if text.trim_matches([' ', '\t', '\r']).is_empty() {
        return None;
    }
    let Ok(Entries(entries)) = serde_json::from_str(text) else { return Some(Err("no message")) };
    let mut parts = BTreeMap::new();
    for (key, value) in entries {
        if KEYS.contains(&&*key) && parts.insert(key, value.get().to_owned()).is_some() {
            return Some(Err("no message"));
        }
    }
    let kind = parts.remove("type").and_then(|kind| serde_json::from_str::<String>(&kind).ok());
    Some(match kind {
        Some(kind) if Kind::named(&kind).is_some() => Ok((kind, parts)),
        Some(_) => Err("unknown type"),
        None => Err("no message"),
    })
}

fn expected(stream: &[u8], limit: usize) -> Vec<Read> {
    let Some(end) = stream.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    stream[..end].split(|byte| *byte == b'\n').filter_map(|line| read_line(line, limit)).collect()
}

fn told(outcome: Result<Frame, BadFrame>) -> Read {
    let frame = outcome.map_err(|bad| match bad.error {
        FrameError::TooLong { .. } => "too long",
        FrameError::NotUtf8 { .. } => "no text",
        FrameError::UnknownType { .. } => "unknown type",
        _ => "no message",
    })?;
    let Envelope { kind, id, hello, deadline, stream, more, topic, payload } = frame.envelope();
    let values = [id, None, hello, deadline, stream, more, topic, payload];
    let parts = KEYS.iter().zip(values).filter_map(|(key, value)| Some(((*key).to_owned(), value?.to_owned())));
    Ok((kind.name().to_owned(), parts.collect()))
}

/// Takes all there is after each piece; by both ways if `answers` says so, in its turn.
fn decoded(pieces: &[&[u8]], limit: usize, answers: &[bool]) -> Vec<Read> {
    let mut decoder = Decoder::new(&Limits::default().with_max_frame(limit));
    let (mut taken, mut turns) = (Vec::new(), answers.iter().cycle());
    for piece in pieces {
        decoder.push(piece);
        loop {
            if turns.next() == Some(&true)
                && let Some(answer) = decoder.next_answer()
            {
                taken.push(told(answer.check()));
            } else if let Some(outcome) = decoder.next() {
                taken.push(told(outcome));
            } else {
                break;
            }
        }
        decoder.take_back();
    }
    taken
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "1", "-0", "0", "1e400", "-1.5E-3", "18446744073709551616", "9007199254740993", "01", "1.", ".5", "+1", "0x1",
            "NaN", "Infinity", "-", "nul", "null", "true", "\"\"", "\"a\"", r#""\"""#, r#""\ud800""#, r#""\ud83d\ude00""#,
            r#""\u12""#,
            r#""\u12xy""#, r#""\x""#, "\"\u{1}\"", "\"\u{e9}\u{1f600}\"", "\"{\\\"id\\\":1}\"", "[]", "{}", "[1,]", "{\"a\":1,\"a\":2}", "",
        ]).prop_map(str::to_owned),
        1 => (1..200_usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (1..80_usize).prop_map(|depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))),
        1 => (0..6000_usize).prop_map(|length| format!("\"{}\"", "\u{e9}x".repeat(length))),
        1 => "[0-9]{1,60}",
        1 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
    ]
}

fn any_entry() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "\"id\"",
        "\"id\"",
        "\"payload\"",
        "\"payload\"",
        "\"more\"",
        "\"topic\"",
        "\"hello\"",
        "\"deadline\"",
        "\"stream\"",
        "\"x\"",
        r#""\u0069d""#,
        r#""p\u0061yload""#,
        r#""\ud800""#,
        "\"\"",
        "id",
        "",
    ]);
    let kind = prop::sample::select(vec![
        "\"request\"",
        "\"response\"",
        "\"response\"",
        "\"error\"",
        "\"cancel\"",
        "\"credit\"",
        "\"event\"",
        r#""re\u0071uest""#,
        "\"Request\"",
        "\"\"",
        "null",
        "1",
    ]);
    prop_oneof![
        (key, any_value()).prop_map(|(key, value)| format!("{key}:{value}")),
        kind.prop_map(|kind| format!("\"type\":{kind}")),
    ]
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let blank = || prop::sample::select(vec!["", "", "", " ", "\t", " \r ", "\u{a0}", "\u{feff}"]);
    let deadline = prop::sample::select(vec![
        "",
        "",
        "",
        ",\"deadline\":5",
        ",\"deadline\":05",
        ",\"deadline\":0",
        ",\"deadline\":5.0",
    ]);
    let usual = (any_value(), prop::sample::select(vec!["request", "response", "error"]), deadline, any_value())
        .prop_map(|(id, kind, deadline, payload)| {
            format!(r#"{{"id":{id},"type":"{kind}"{deadline},"payload":{payload}}}"#)
        });
    let odd =
        (prop::collection::vec(any_entry(), 0..5), blank(), blank(), blank()).prop_map(|(entries, one, two, three)| {
            let inside = entries.join(&format!("{one},{two}")).replace("\":", &format!("\"{three}:"));
            format!("{two}{{{one}{inside}{three}}}{two}")
        });
    let noise = prop::sample::select(vec![
        "",
        "\r",
        "GET / HTTP/1.1\r",
        "[\"request\"]",
        "{}",
        "{",
        "}",
        "null",
        "\0",
        "\u{b}",
    ]);
    prop_oneof![
        4 => usual.prop_map(String::into_bytes),
        4 => odd.prop_map(String::into_bytes),
        1 => noise.prop_map(|noise| noise.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let line = (any_line(), prop::sample::select(vec!["\n", "\n", "\n", "\r\n", ""]))
        .prop_map(|(line, end)| [&line[..], end.as_bytes()].concat());
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_comes_in_whatever_pieces_is_what_serde_json_reads_line_by_line(
        stream in any_stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        bytewise in prop::bool::weighted(0.1),
        answers in prop::collection::vec(any::<bool>(), 1..8),
        limit in prop::sample::select(vec![1, 40, 300, 4096, 5000, 16 * 1024 * 1024]),
    ) {
        let mut expected = expected(&stream, limit);
        let rest = stream.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let pieces = if bytewise { stream.chunks(1).collect() } else { super::pieces(&stream, &cuts) };
        // A line that never ends is told of as soon as it is too long.
        if rest.len() > limit {
            expected.push(Err("too long"));
        }
        prop_assert_eq!(decoded(&pieces, limit, &answers), expected);
    }
}
