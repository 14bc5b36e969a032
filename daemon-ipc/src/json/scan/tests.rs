use super::*;
use proptest::prelude::*;
use serde_json::value::RawValue;

/// What `serde_json` says of the whole text: where its one value ends, blanks after it not counted.
fn told_by_serde(text: &str) -> Option<usize> {
    let value: &RawValue = serde_json::from_str(text).ok()?;
    Some(value.get().as_ptr().addr() - text.as_ptr().addr() + value.get().len())
}

/// The same of the scan.
fn told(text: &str) -> Option<usize> {
    value_end(text.as_bytes(), 0).filter(|end| after_blanks(&text.as_bytes()[*end..]).is_empty())
}

#[test]
fn values_are_told_from_what_is_none() {
    let values = [
        "0",
        "-0",
        "10",
        "-1.50",
        "1e9",
        "1E+9",
        "0.0e-0",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        r#""""#,
        r#""a\"b\\c\/\b\f\n\r\t\u00e9\uD800""#,
        "\"é🦀\u{7f}\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1,2 , [3],{}]",
        r#"{"a":1,"b":{"c":[{}]} , "":null}"#,
        " \t\r1 \t\r",
    ];
    let others = [
        "",
        " ",
        "01",
        "-",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "0x1",
        "1.2.3",
        "tru",
        "nul",
        "True",
        "NaN",
        "'a'",
        "\"",
        "\"\\",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        "\"\u{1}\"",
        "\"\n\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "{]",
        "{1:2}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1]"#,
        "1 2",
        "null,",
        "{}}",
        "\u{a0}1",
    ];
    for text in values {
        assert!(told(text).is_some(), "{text}");
        assert_eq!(told(text), told_by_serde(text), "{text}");
    }
    for text in others {
        assert_eq!(told(text), None, "{text}");
        assert_eq!(told_by_serde(text), None, "{text}");
    }
}

#[test]
fn what_goes_over_several_lines_is_left_to_others() {
    for text in ["\n1", "[1,\n2]", "{\"a\":\n1}", "{\n}"] {
        assert_eq!(told(text), None, "{text}");
    }
}

#[test]
fn what_is_nested_deeper_than_64_is_left_to_others() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    // The innermost pair is empty and takes no bit.
    assert_eq!(told(&nested(65)), Some(130));
    assert_eq!(told(&nested(66)), None);
    assert_eq!(told(&"[".repeat(100_000)), None);
    assert_eq!(told(&"{\"a\":".repeat(100_000)), None);
}

/// Text made of the pieces that JSON is made of, so that much of it is JSON and more of it nearly is.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"a\"", "1", "\"a\":1", "[1]", "{}", "null", " "]),
        1 => prop::sample::select(vec!["\"", "\\", "\\u00e9", "-", "0", ".5", "e3", "true", "\n", "\u{1}", "é", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_scan_agrees_with_serde(text in nearly_json()) {
        prop_assert_eq!(told(&text), told_by_serde(&text).filter(|_| !text.contains('\n')));
    }

    #[test]
    fn the_scan_agrees_with_serde_on_any_text(text in any::<String>()) {
        prop_assert_eq!(told(&text), told_by_serde(&text).filter(|_| !text.contains('\n')));
    }
}
