//! What the fuzzer does for hours, for a moment.

mod harness;

use proptest::prelude::*;

/// Bytes of the pieces that messages are made of.
fn nearly_messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "{\"id\":1,\"type\":\"request\",\"payload\":", "{\"id\":\"a\",\"type\":\"cancel\"}\n", "}\n", "\n", "1", "3", "4", "5", "6", "7", "[]",
            "\"hello\":{\"version\":1,\"capabilities\":[\"cancel\",\"stream\",\"push\",\"deadline\"]},", "{\"id\":1,", "\"type\":\"request\",",
            "\"stream\":2,", "\"deadline\":5,", "\"payload\":5}\n", "{\"id\":1,\"type\":\"credit\",\"stream\":3}\n", "GET / HTTP/1.1\r\n\r\n", ":", "\"",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn decoding(data in nearly_messages()) {
        harness::decode(&data);
    }

    #[test]
    fn decoding_encoding_decoding(data in nearly_messages()) {
        harness::decode_encode_decode(&data);
    }

    #[test]
    fn serving(data in nearly_messages()) {
        harness::server(&data);
    }
}

#[test]
fn what_was_found_before_is_found_no_more() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds");
    let mut count = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        let data = std::fs::read(seed.unwrap().path()).unwrap();
        harness::decode(&data);
        harness::decode_encode_decode(&data);
        harness::server(&data);
        count += 1;
    }
    assert!(count > 0);
}
