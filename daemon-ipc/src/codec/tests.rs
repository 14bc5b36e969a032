use super::*;
use crate::Kind;
use proptest::prelude::*;
use serde_json::{Value, json};

const ROOM: Limits = Limits { max_frame: 64 };

/// Pushes the pieces and takes all there is after each; faults as text, so that outcomes compare.
fn decode<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Result<Message, String>>, Decoder) {
    let mut decoder = Decoder::new(limits);
    let mut taken = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(outcome) = decoder.next() {
            taken.push(outcome.map_err(|fault| fault.to_string()));
        }
    }
    (taken, decoder)
}

fn decode_whole(bytes: &[u8]) -> Vec<Result<Message, String>> {
    decode(Limits::default(), [bytes]).0
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, Limits::default(), &mut bytes).unwrap();
    bytes
}

fn fault(bytes: &[u8]) -> FrameError {
    let mut decoder = Decoder::new(Limits::default());
    decoder.push(bytes);
    decoder.next().unwrap().unwrap_err()
}

#[test]
fn a_character_split_over_two_reads_is_whole() {
    let message = Message::request("1", Some(json!("🦀")));
    let bytes = encoded(&message);
    let middle = bytes.iter().position(|byte| *byte == 0xF0).unwrap() + 2;
    let (taken, _) = decode(Limits::default(), [&bytes[..middle], &bytes[middle..]]);
    assert_eq!(taken, [Ok(message)]);
}

#[test]
fn blanks_blank_lines_and_carriage_returns_are_passed_over() {
    let taken = decode_whole(b"\n  \r\n \t{\"type\":\"request\"} \r\n\n");
    assert_eq!(taken.len(), 1);
    assert!(taken[0].is_ok());
}

#[test]
fn a_bad_line_costs_itself_only() {
    let bad: [&[u8]; 8] = [
        b"{",
        b"null",
        b"[\"1\",\"request\",2]",
        b"7",
        b"{\"type\":\"cancel\"}",
        b"{}",
        b"\xFF",
        b"{\"type\":\"request\"} x",
    ];
    for line in bad {
        let bytes = [line, b"\n{\"id\":1,\"type\":\"request\"}\n"].concat();
        let taken = decode_whole(&bytes);
        assert_eq!(taken.len(), 2, "{}", line.escape_ascii());
        assert!(taken[0].is_err(), "{}", line.escape_ascii());
        assert_eq!(taken[1], Ok(Message::request(1, None)));
    }
}

#[test]
fn deep_nesting_is_a_bad_line_and_not_a_crash() {
    let deep = [&b"{\"type\":\"request\",\"payload\":"[..], &vec![b'['; 100_000], b"\n"].concat();
    assert!(matches!(fault(&deep), FrameError::NotAMessage { source: Some(_) }));
}

#[test]
fn a_wrong_byte_is_named_by_its_place() {
    assert!(matches!(fault(b"{\"id\":\"\xC3\x28\"}\n"), FrameError::NotUtf8 { at: 7 }));
}

#[test]
fn a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let envelope = br#"{"type":"request","payload":""}"#.len();
    for (length, passes) in [(ROOM.max_frame, true), (ROOM.max_frame + 1, false)] {
        let text = format!(r#"{{"type":"request","payload":"{}"}}"#, "x".repeat(length - envelope));
        let line = [text.as_bytes(), b"\n"].concat();
        assert_eq!(decode(ROOM, [&line[..]]).0[0].is_ok(), passes);

        let mut written = b"before".to_vec();
        let message: Message = serde_json::from_str(&text).unwrap();
        assert_eq!(encode(&message, ROOM, &mut written).is_ok(), passes);
        assert_eq!(written.len(), if passes { 6 + line.len() } else { 6 });
    }
}

#[test]
fn an_endless_line_is_reported_once_and_held_no_longer() {
    let mut decoder = Decoder::new(ROOM);
    let mut faults = 0;
    for _ in 0..1000 {
        decoder.push(&[b'x'; 48]);
        while let Some(outcome) = decoder.next() {
            assert!(matches!(outcome, Err(FrameError::TooLong { limit: 64 })));
            faults += 1;
        }
        assert!(decoder.bytes.len() <= ROOM.max_frame);
    }
    assert_eq!(faults, 1);
    decoder.push(b"x\n{\"id\":1,\"type\":\"request\"}\n");
    assert_eq!(decoder.next().unwrap().unwrap(), Message::request(1, None));
}

#[test]
fn the_end_inside_a_line_is_told() {
    for (bytes, held) in [(&b"{\"type\":"[..], 8), (b"\n\n{", 1), (b"{}\nab", 2)] {
        let mut decoder = Decoder::new(Limits::default());
        decoder.push(bytes);
        match decoder.finish() {
            Err(FrameError::Unterminated { held: told }) => assert_eq!(told, held),
            other => panic!("{other:?}"),
        }
    }
    for bytes in [&b""[..], b"\n", b"{}\n", b"{}\n \r"] {
        let mut decoder = Decoder::new(Limits::default());
        decoder.push(bytes);
        assert!(decoder.finish().is_ok(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_end_inside_a_line_reported_as_too_long_is_not_told_again() {
    let (taken, mut decoder) = decode(ROOM, [&[b'x'; 100][..]]);
    assert_eq!(taken.len(), 1);
    decoder.push(b"xx");
    assert!(decoder.finish().is_ok());
}

#[test]
fn the_end_inside_the_line_after_one_too_long_is_told() {
    let (_, mut decoder) = decode(ROOM, [&[b'x'; 100][..]]);
    decoder.push(b"xx\n{\"id\"");
    assert!(matches!(decoder.finish(), Err(FrameError::Unterminated { held: 5 })));
}

#[test]
fn the_room_of_a_large_message_is_given_back() {
    let message = Message::request(1, Some(json!("x".repeat(1024 * 1024))));
    let mut decoder = Decoder::new(Limits::default());
    decoder.push(&encoded(&message));
    assert_eq!(decoder.next().unwrap().unwrap(), message);
    assert!(decoder.next().is_none());
    assert!(decoder.bytes.capacity() <= KEPT);
}

#[test]
fn a_long_line_in_small_pieces_is_scanned_once() {
    let mut decoder = Decoder::new(Limits::default());
    for _ in 0..100 {
        decoder.push(&[b'x'; 10]);
        assert!(decoder.next().is_none());
        assert_eq!(decoder.scanned, decoder.bytes.len());
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

fn any_message() -> impl Strategy<Value = Message> {
    let kind = prop_oneof![Just(Kind::Request), Just(Kind::Response), Just(Kind::Error)];
    (prop::option::of(any_json()), kind, prop::option::of(any_json())).prop_map(|(id, kind, payload)| Message {
        id,
        kind,
        payload,
    })
}

/// Lines good, bad, blank and too long for [`ROOM`].
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        any_message().prop_map(|message| encoded(&message)),
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
    fn any_split_gives_the_same(stream in any_stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        for limits in [ROOM, Limits::default()] {
            let (whole, one) = decode(limits, [&stream[..]]);
            let (split, many) = decode(limits, pieces(&stream, &cuts));
            prop_assert_eq!(whole, split);
            prop_assert_eq!(one.finish().is_ok(), many.finish().is_ok());
        }
    }

    #[test]
    fn what_is_written_is_read_back(messages in prop::collection::vec(any_message(), 0..8)) {
        let bytes: Vec<u8> = messages.iter().flat_map(encoded).collect();
        let (taken, decoder) = decode(Limits::default(), bytes.chunks(7));
        prop_assert_eq!(taken, messages.into_iter().map(Ok).collect::<Vec<_>>());
        prop_assert!(decoder.finish().is_ok());
    }

    #[test]
    fn what_is_read_is_written_back(stream in any_stream()) {
        for message in decode_whole(&stream).into_iter().flatten() {
            prop_assert_eq!(decode_whole(&encoded(&message)), [Ok(message)]);
        }
    }
}
