mod oracle;

use super::*;
use crate::{Json, Limits};
use proptest::prelude::*;
use serde_json::{Value, json};

fn room() -> Limits {
    Limits::default().with_max_frame(64)
}

/// Pushes the pieces and takes all there is after each; messages as they are written, faults as text, so that outcomes compare.
fn decode<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Result<String, String>>, Decoder) {
    let mut decoder = Decoder::new(limits);
    let mut taken = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(outcome) = decoder.next() {
            taken.push(outcome.map(|frame| encoded(&frame.envelope())).map_err(|fault| fault.to_string()));
        }
    }
    (taken, decoder)
}

fn decode_whole(bytes: &[u8]) -> Vec<Result<String, String>> {
    decode(&Limits::default(), [bytes]).0
}

fn encoded(envelope: &Envelope<'_>) -> String {
    let mut bytes = Vec::new();
    encode(envelope, &Limits::default(), &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn fault(bytes: &[u8]) -> BadFrame {
    let mut decoder = Decoder::new(&Limits::default());
    decoder.push(bytes);
    decoder.next().unwrap().unwrap_err()
}

fn parsed(line: &str) -> Envelope<'_> {
    Envelope::parse(line).unwrap()
}

#[test]
fn keys_are_written_in_the_order_peers_know() {
    let line = r#"{"id":"1-a","type":"request","payload":{"a":1}}"#;
    assert_eq!(encoded(&parsed(line)), format!("{line}\n"));
    let all = r#"{"id":1,"type":"event","hello":{},"deadline":1,"stream":2,"more":true,"topic":"t","payload":null}"#;
    assert_eq!(encoded(&parsed(all)), format!("{all}\n"));
}

#[test]
fn an_id_may_be_any_value_and_stays_as_it_is() {
    for id in [
        "7",
        "null",
        "[1]",
        r#"{"a":1}"#,
        r#""""#,
        "true",
        "1.50",
        "-0",
        "123456789012345678901234567890",
        r#""\u0041""#,
    ] {
        assert_eq!(parsed(&format!(r#"{{"id":{id},"type":"request"}}"#)).id, Some(id));
        assert_eq!(parsed(&format!(r#"{{"type": "request", "id": {id} }}"#)).id, Some(id));
    }
}

#[test]
fn what_is_absent_stays_absent_and_null_stays_null() {
    assert_eq!(parsed(r#"{"type":"request"}"#), Envelope::new(Kind::Request));
    let null = parsed(r#"{"id":null,"type":"response","payload":null}"#);
    assert_eq!((null.id, null.payload), (Some("null"), Some("null")));
}

#[test]
fn unknown_keys_are_passed_over() {
    let envelope = parsed(r#"{"id":1,"x":{"type":9},"type":"request","payload":2,"trace":[]}"#);
    assert_eq!(envelope, Envelope { id: Some("1"), payload: Some("2"), ..Envelope::new(Kind::Request) });
}

#[test]
fn a_key_that_comes_twice_makes_a_bad_line() {
    for line in [
        r#"{"id":1,"id":2,"type":"request"}"#,
        r#"{"id":1,"type":"request","type":"request"}"#,
        r#"{"id":1,"type":"request","payload":1,"payload":2}"#,
    ] {
        assert!(matches!(Envelope::parse(line), Err(FrameError::NotAMessage { source: Some(_) })), "{line}");
    }
}

#[test]
fn a_character_split_over_two_reads_is_whole() {
    let line = "{\"id\":1,\"type\":\"request\",\"payload\":\"🦀\"}\n";
    let middle = line.find('🦀').unwrap() + 2;
    let (taken, _) = decode(&Limits::default(), [&line.as_bytes()[..middle], &line.as_bytes()[middle..]]);
    assert_eq!(taken, [Ok(line.to_owned())]);
}

#[test]
fn blanks_blank_lines_and_carriage_returns_are_passed_over() {
    let taken = decode_whole(b"\n  \r\n \t{\"type\":\"request\"} \r\n\n");
    assert_eq!(taken, [Ok("{\"type\":\"request\"}\n".to_owned())]);
}

#[test]
fn a_line_of_what_json_does_not_call_blank_is_a_bad_one() {
    for odd in ["\u{a0}", "\u{2003}", "\u{feff}", "\u{b}", "\u{c}", " \u{85} "] {
        let taken = decode_whole(format!("{odd}\n").as_bytes());
        assert!(matches!(&taken[..], [Err(_)]), "{odd:?}: {taken:?}");
        let mut decoder = Decoder::new(&Limits::default());
        decoder.push(odd.as_bytes());
        assert!(decoder.next().is_none() && decoder.finish().is_err(), "{odd:?}");
    }
}

#[test]
fn a_bad_line_costs_itself_only() {
    let bad: [&[u8]; 9] = [
        b"{",
        b"null",
        b"[\"1\",\"request\",2]",
        b"7",
        b"{\"type\":\"greeting\"}",
        b"{\"type\":7}",
        b"{}",
        b"\xFF",
        b"{\"type\":\"request\"} x",
    ];
    for line in bad {
        let bytes = [line, b"\n{\"id\":1,\"type\":\"request\"}\n"].concat();
        let taken = decode_whole(&bytes);
        assert_eq!(taken.len(), 2, "{}", line.escape_ascii());
        assert!(taken[0].is_err(), "{}", line.escape_ascii());
        assert_eq!(taken[1], Ok("{\"id\":1,\"type\":\"request\"}\n".to_owned()));
    }
}

#[test]
fn a_bad_line_tells_its_id_where_it_can_be_made_out() {
    let cases: [(&[u8], Option<&str>); 8] = [
        (b"{\"id\":\"a-1\",\"type\":\"greeting\"}\n", Some("\"a-1\"")),
        (b"{\"type\":\"greeting\",\"id\":{\"a\":1}}\n", Some("{\"a\":1}")),
        (b"{\"payload\":1,\"id\":7}\n", Some("7")),
        (b"{\"id\":\"a-1\",\"type\":\"request\",\"payload\":}\n", Some("\"a-1\"")),
        (b"{\"id\":\"a-1\",\"payload\":\"\xFF\"}\n", Some("\"a-1\"")),
        (b"{\"id\":\"\xFF\"}\n", None),
        (b"{\"id\":12\n", None),
        (b"{\"id\":\"a\n", None),
    ];
    for (line, id) in cases {
        assert_eq!(fault(line).id.as_ref().map(Json::as_str), id, "{}", line.escape_ascii());
    }
    let long = [&b"{\"id\":42,\"type\":\"request\",\"payload\":\""[..], &[b'x'; 100]].concat();
    for ends in [&b""[..], b"\"}\n"] {
        let mut decoder = Decoder::new(&room());
        decoder.push(&[&long, ends].concat());
        let fault = decoder.next().unwrap().unwrap_err();
        assert!(matches!(fault.error, FrameError::TooLong { limit: 64 }));
        assert_eq!(fault.id.as_ref().map(Json::as_str), Some("42"));
    }
}

#[test]
fn an_unknown_type_is_told_with_the_ones_there_are() {
    let fault = fault(b"{\"type\":\"greeting\"}\n").to_string();
    assert!(fault.contains("`greeting`") && fault.contains("request, response, error"), "{fault}");
    let long = format!("{{\"type\":\"{}\"}}", "é".repeat(1000));
    assert!(Envelope::parse(&long).unwrap_err().to_string().chars().count() < 200);
}

#[test]
fn deep_nesting_is_carried_or_a_bad_line_and_not_a_crash() {
    let deep = [&b"{\"type\":\"request\",\"payload\":"[..], &vec![b'['; 100_000], b"\n"].concat();
    assert!(matches!(fault(&deep).error, FrameError::NotAMessage { source: Some(_) }));

    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let line = format!("{{\"id\":1,\"type\":\"request\",\"payload\":{nested}}}\n");
    let mut decoder = Decoder::new(&Limits::default());
    decoder.push(line.as_bytes());
    let payload = decoder.next().unwrap().unwrap().payload_json().unwrap();
    assert_eq!(payload.as_str(), nested);
    assert!(payload.read::<Value>().unwrap_err().to_string().contains("recursion limit"));
}

#[test]
fn a_wrong_byte_is_named_by_its_place() {
    assert!(matches!(fault(b"{\"id\":\"\xC3\x28\"}\n").error, FrameError::NotUtf8 { at: 7 }));
}

#[test]
fn a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let envelope = br#"{"type":"request","payload":""}"#.len();
    for (length, passes) in [(64, true), (65, false)] {
        let text = format!(r#"{{"type":"request","payload":"{}"}}"#, "x".repeat(length - envelope));
        let line = format!("{text}\n");
        assert_eq!(decode(&room(), [line.as_bytes()]).0[0].is_ok(), passes);

        let mut written = b"before".to_vec();
        assert_eq!(encode(&parsed(&text), &room(), &mut written).is_ok(), passes);
        assert_eq!(written.len(), if passes { 6 + line.len() } else { 6 });
    }
}

#[test]
fn a_value_that_is_not_json_leaves_what_was_written_as_it_was() {
    let mut written = b"before".to_vec();
    let value = std::collections::BTreeMap::from([((1, 2), 3)]);
    let outcome = encode_value(&Envelope::new(Kind::Response), &value, &Limits::default(), &mut written);
    assert!(matches!(outcome, Err(FrameError::NotJson { .. })));
    assert_eq!(written, b"before");
}

#[test]
fn an_endless_line_is_reported_once_and_held_no_longer() {
    let mut decoder = Decoder::new(&room());
    let mut faults = 0;
    for _ in 0..1000 {
        decoder.push(&[b'x'; 48]);
        while let Some(outcome) = decoder.next() {
            assert!(matches!(outcome.unwrap_err().error, FrameError::TooLong { limit: 64 }));
            faults += 1;
        }
        assert!(decoder.held().len() <= 64);
        assert!(decoder.has_begun());
    }
    assert_eq!(faults, 1);
    decoder.push(b"x\n{\"id\":1,\"type\":\"request\"}\n");
    assert_eq!(decoder.next().unwrap().unwrap().id(), Some("1"));
    assert!(!decoder.has_begun());
}

#[test]
fn the_end_inside_a_line_is_told() {
    for (bytes, length) in [(&b"{\"type\":"[..], 8), (b"\n\n{", 1), (b"{}\nab", 2)] {
        let mut decoder = Decoder::new(&Limits::default());
        decoder.push(bytes);
        match decoder.finish().map_err(|fault| fault.error) {
            Err(FrameError::Unterminated { held }) => assert_eq!(held, length),
            other => panic!("{other:?}"),
        }
    }
    for bytes in [&b""[..], b"\n", b"{}\n", b"{}\n \r"] {
        let mut decoder = Decoder::new(&Limits::default());
        decoder.push(bytes);
        assert!(decoder.finish().is_ok(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_end_inside_a_line_reported_as_too_long_is_not_told_again() {
    let (taken, mut decoder) = decode(&room(), [&[b'x'; 100][..]]);
    assert_eq!(taken.len(), 1);
    decoder.push(b"xx");
    assert!(decoder.next().is_none());
    assert!(decoder.finish().is_ok());
}

#[test]
fn the_end_inside_the_line_after_one_too_long_is_told() {
    let (_, mut decoder) = decode(&room(), [&[b'x'; 100][..]]);
    decoder.push(b"xx\n{\"id\"");
    assert!(matches!(decoder.finish().unwrap_err().error, FrameError::Unterminated { held: 5 }));
}

#[test]
fn the_buffer_can_be_taken_away_between_messages_and_tells_its_size() {
    let mut decoder = Decoder::new(&Limits::default());
    let line = |length: usize| format!("{{\"id\":1,\"type\":\"request\",\"payload\":\"{}\"}}\n", "x".repeat(length));
    for (length, sizes) in [(10, 1..128 << 10), (1 << 20, 1 << 20..3 << 20), (10, 1..128 << 10)] {
        for piece in line(length).as_bytes().chunks(10_000) {
            decoder.room().extend_from_slice(piece);
            if let Some(frame) = decoder.next() {
                assert_eq!(frame.unwrap().payload().unwrap().len(), length + 2);
            } else {
                assert!(decoder.take_back().is_none());
            }
        }
        let (_, size) = decoder.take_back().unwrap();
        assert!(sizes.contains(&size), "{length}: {size}");
    }
}

#[test]
fn a_frame_outlives_the_buffer_it_was_read_into() {
    let mut decoder = Decoder::new(&Limits::default());
    decoder.push(b"{\"id\":1,\"type\":\"request\",\"payload\":[1]}\n");
    let frame = decoder.next().unwrap().unwrap();
    decoder.push(&[b'y'; 1000]);
    drop(decoder);
    assert_eq!((frame.id(), frame.payload()), (Some("1"), Some("[1]")));
}

#[test]
fn a_long_line_in_small_pieces_is_scanned_once() {
    let mut decoder = Decoder::new(&Limits::default());
    for _ in 0..100 {
        decoder.push(&[b'x'; 10]);
        assert!(decoder.next().is_none());
        assert_eq!(decoder.scanned(), decoder.held().len());
    }
}

#[test]
fn short_lines_do_not_wait_for_a_bad_one_to_be_looked_at_again() {
    let mut decoder = Decoder::new(&Limits::default());
    decoder.push("{\"type\":\"request\"}\n".repeat(100).as_bytes());
    decoder.push(b"\xFF\n{\"type\":\"error\"}\n");
    assert!(decoder.next().is_some_and(|line| line.is_ok()));
    assert!(decoder.held().starts_with(b"\xFF"), "all before it left the buffer at once");
    assert_eq!((0..99).filter(|_| decoder.next().is_some_and(|line| line.is_ok())).count(), 99);
    assert!(matches!(decoder.next(), Some(Err(BadFrame { error: FrameError::NotUtf8 { at: 0 }, .. }))));
    assert_eq!(decoder.next().unwrap().unwrap().kind(), Kind::Error);
    assert!(decoder.next().is_none());
}

#[test]
fn at_rest_no_line_is_held() {
    let mut decoder = Decoder::new(&Limits::default());
    decoder.push(b"{\"type\":\"request\"}\n{\"type\":\"request\"}\n");
    assert!(decoder.next().is_some());
    decoder.take_back();
    assert_eq!(decoder.held_lines(), 38, "one is not read yet");
    assert!(decoder.next().is_some() && decoder.next().is_none());
    decoder.take_back();
    assert_eq!(decoder.held_lines(), 0);
}

#[test]
fn extensions_are_read_or_named_as_bad() {
    let read = |line: &str| {
        let mut decoder = Decoder::new(&Limits::default());
        decoder.push(format!("{line}\n").as_bytes());
        decoder.next().unwrap().unwrap().extensions()
    };
    assert_eq!(read(r#"{"type":"request"}"#).unwrap(), Extensions::default());
    let all =
        read(r#"{"type":"event","deadline":1500,"stream":8,"more":true,"topic":"a:b","hello":{"version":1}}"#).unwrap();
    assert_eq!(all.deadline, Some(std::time::Duration::from_millis(1500)));
    assert_eq!((all.stream, all.more, all.topic.as_deref()), (Some(8), true, Some("a:b")));
    assert_eq!(all.hello.unwrap().capabilities, Capabilities::default());
    for (key, value) in
        [("deadline", "-1"), ("deadline", "1.5"), ("stream", "\"8\""), ("more", "1"), ("topic", "{}"), ("hello", "{}")]
    {
        let fault = read(&format!(r#"{{"type":"request","{key}":{value}}}"#)).unwrap_err();
        assert!(matches!(&fault, FrameError::BadExtension { key: told, .. } if *told == key), "{fault:?}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (prop::num::f64::NORMAL | prop::num::f64::ZERO).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A message as an object of its own, keys in any order, with keys nobody knows.
fn any_line() -> impl Strategy<Value = String> {
    let key =
        prop::sample::select(vec!["id", "hello", "deadline", "stream", "more", "topic", "payload", "x", "\\u0069d"]);
    let kind = prop::sample::select(vec!["request", "response", "error", "cancel", "credit", "event", "greeting", ""]);
    let pairs = prop::collection::vec((key, any_json()), 0..5);
    let blank = prop::sample::select(vec!["", "", "", " ", "\r", "\t "]);
    (pairs, kind, any::<prop::sample::Index>(), blank).prop_map(|(pairs, kind, at, blank)| {
        let mut parts: Vec<String> =
            pairs.into_iter().map(|(key, value)| format!("\"{key}\":{blank}{value}")).collect();
        parts.insert(at.index(parts.len() + 1), format!("\"type\":\"{kind}\""));
        format!("{blank}{{{}}}{blank}", parts.join(","))
    })
}

/// Lines in the form of the fast path, and such with a byte changed, added or removed.
fn nearly_prefix() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["request", "response", "error"]);
    let deadline = prop::option::of(any::<u64>());
    let edit = prop::option::of((any::<prop::sample::Index>(), prop::option::of(any::<char>()), any::<bool>()));
    (any_json(), kind, deadline, prop::option::of(any_json()), any::<bool>(), edit).prop_map(
        |(id, kind, deadline, payload, more, edit)| {
            let deadline = deadline.map(|deadline| format!(",\"deadline\":{deadline}")).unwrap_or_default();
            let more = if more { ",\"more\":true" } else { "" };
            let payload = payload.map(|payload| format!(",\"payload\":{payload}")).unwrap_or_default();
            let line = format!("{{\"id\":{id},\"type\":\"{kind}\"{deadline}{more}{payload}}}");
            let Some((at, put, keep)) = edit else { return line };
            let mut characters: Vec<char> = line.chars().collect();
            let at = at.index(characters.len());
            if !keep {
                characters.remove(at);
            }
            characters.splice(at..at, put);
            characters.into_iter().collect()
        },
    )
}

/// Lines good, bad, blank and too long for [`room`].
/// Answers whose payload is a value, nearly one, or followed by something.
fn nearly_answer() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "1",
        "\"a\":1",
        "null",
        " ",
        "\"",
        "\\",
        "\r",
        "\u{1}",
        "é",
        ",\"more\":true",
        ",\"hello\":{\"version\":1}",
        ",\"hello\":5",
        ",\"payload\":2",
        ",\"x\":[1]",
    ]);
    prop::collection::vec(piece, 0..6)
        .prop_map(|pieces| format!(r#"{{"id":"1","type":"response","payload":{}}}"#, pieces.concat()))
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        any_line().prop_map(|line| format!("{line}\n").into_bytes()),
        nearly_prefix().prop_map(|line| format!("{line}\n").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..100),
        "[ \r\n]{0,4}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.push(bytes.len());
    let mut from = 0;
    at.into_iter().map(|to| &bytes[std::mem::replace(&mut from, to)..to]).collect()
}

proptest! {
    #[test]
    fn the_fast_path_reads_what_serde_reads(line in prop_oneof![any_line(), nearly_prefix()]) {
        if let Some((parts, _)) = prefix::read(line.as_bytes()).filter(|(_, length)| *length == line.len()) {
            prop_assert_eq!(Some(parts.of(&line)), fields::read(&line).ok());
        }
    }

    #[test]
    fn what_is_read_before_it_is_checked_is_what_it_would_be_after(line in prop_oneof![any_line(), nearly_prefix(), nearly_answer()]) {
        let decoder = || {
            let mut decoder = Decoder::new(&Limits::default());
            decoder.push(line.as_bytes());
            decoder.push(b"\n");
            decoder
        };
        let read = |answer: Result<Unread, BadFrame>| match answer.map(Unread::read::<Value>) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Misread::Payload(error))) => Err(error.to_string()),
            Ok(Err(Misread::Frame(error))) | Err(BadFrame { error, .. }) => Err(error.to_string()),
        };
        let careful = decoder().next();
        // What is wrong with an extension is found out elsewhere, if its line was known to be a message.
        let is_odd = |frame: &Result<Frame, BadFrame>| frame.as_ref().is_ok_and(|frame| frame.extensions().is_err());
        if let Some(answer) = decoder().next_answer()
            && !careful.as_ref().is_some_and(is_odd)
        {
            let careful = careful.map(|frame| read(frame.map(|frame| Unread::Known(Box::new(frame)))));
            prop_assert_eq!(Some(read(Ok(Unread::Answer(answer)))), careful);
        }
    }

    #[test]
    fn the_common_form_takes_the_fast_path(id in any_json(), payload in prop::option::of(any_json()), deadline in any::<Option<u64>>()) {
        let (id, payload) = (id.to_string(), payload.map(|payload| payload.to_string()));
        let deadline = deadline.map(|deadline| deadline.to_string());
        let envelope = Envelope { id: Some(&id), payload: payload.as_deref(), deadline: deadline.as_deref(), ..Envelope::new(Kind::Request) };
        let line = encoded(&envelope);
        let read = prefix::read(line.as_bytes());
        prop_assert_eq!(read.map(|(parts, length)| (parts.of(&line), length)), Some((envelope, line.len() - 1)));
    }

    #[test]
    fn any_split_gives_the_same(stream in any_stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        for limits in [room(), Limits::default()] {
            let (whole, one) = decode(&limits, [&stream[..]]);
            let (split, many) = decode(&limits, pieces(&stream, &cuts));
            prop_assert_eq!(whole, split);
            prop_assert_eq!(one.finish().is_ok(), many.finish().is_ok());
        }
    }

    #[test]
    fn what_is_written_is_read_back(lines in prop::collection::vec(any_line(), 0..8)) {
        let envelopes: Vec<_> = lines.iter().filter_map(|line| Envelope::parse(line).ok()).collect();
        let bytes: String = envelopes.iter().map(encoded).collect();
        let (taken, decoder) = decode(&Limits::default(), bytes.as_bytes().chunks(7));
        prop_assert_eq!(taken, envelopes.iter().map(|envelope| Ok(encoded(envelope))).collect::<Vec<_>>());
        prop_assert!(decoder.finish().is_ok());
    }

    #[test]
    fn a_value_is_written_as_its_text(value in any_json()) {
        let (mut typed, text) = (Vec::new(), value.to_string());
        encode_value(&Envelope::new(Kind::Response), &value, &Limits::default(), &mut typed).unwrap();
        let plain = encoded(&Envelope { payload: Some(&text), ..Envelope::new(Kind::Response) });
        prop_assert_eq!(String::from_utf8(typed).unwrap(), plain);
    }
}

#[test]
fn integers_of_64_bits_and_more_are_carried_as_they_are() {
    for number in [json!(u64::MAX), json!(i64::MIN), json!(9_007_199_254_740_993_u64)] {
        let line = format!("{{\"type\":\"request\",\"payload\":{number}}}");
        assert_eq!(parsed(&line).payload, Some(&*number.to_string()));
    }
}
