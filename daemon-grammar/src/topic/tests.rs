use super::*;
use proptest::prelude::*;

fn fault(pattern: &str) -> String {
    check_pattern(pattern).unwrap_err().to_string()
}

#[test]
fn takes_topics_and_patterns() {
    for topic in ["a", "data:users:created", "v1.2:user_id:a-b", "A:9"] {
        assert_eq!(check_topic(topic), Ok(()));
    }
    for pattern in ["*", "**", "data:*", "data:*:created", "data:**", "*:*:**"] {
        assert_eq!(check_pattern(pattern), Ok(()));
        assert!(check_topic(pattern).is_err());
    }
}

#[test]
fn says_what_to_write() {
    assert_eq!(fault("data::created"), r#"topic "data::created" has an empty segment; write "data:created""#);
    assert_eq!(fault(":"), r#"topic ":" has an empty segment; name each one"#);
    assert_eq!(fault("data/users"), r#"'/' cannot stand in topic "data/users"; split segments by ':'"#);
    assert_eq!(
        fault("data:**:created"),
        r#"'**' is not the last segment of "data:**:created"; use '*' for one segment, '**' only at the end"#
    );
    assert_eq!(
        fault("data:user*"),
        r#"'*' stands inside segment "user*" of "data:user*"; a wildcard is a whole segment, such as "data:*""#
    );
    assert_eq!(
        fault("data users"),
        r#"' ' cannot stand in topic "data users"; use A-Z, a-z, 0-9, '_', '.', '-', and ':' between segments"#
    );
    assert_eq!(check_topic("a:*").unwrap_err().to_string(), r#"topic "a:*" has a wildcard; name every segment"#);
    assert!(fault("").starts_with("a topic is empty"));
}

#[test]
fn double_star_takes_none_too() {
    assert!(matches("a:**", "a"));
    assert!(matches("a:**", "a:b:c"));
    assert!(!matches("a:**", "b"));
    assert!(!matches("a:*", "a"));
    assert!(overlaps("a:**", "a"));
    assert!(overlaps("a:*:**", "a:b"));
    assert!(!overlaps("a:*:**", "a"));
    assert!(overlaps("a:*", "*:b"));
    assert!(!overlaps("a:*:c", "*:b:d"));
}

/// Short words over few letters, so that random patterns and topics meet often.
fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..5).prop_map(|segments| segments.join(":"))
}

fn pattern() -> impl Strategy<Value = String> {
    (prop::collection::vec("[ab*]", 1..5), any::<bool>()).prop_map(|(mut segments, open)| {
        if open {
            segments.push("**".to_owned());
        }
        segments.join(":")
    })
}

/// What the module's first lines say, written another way: by recursion on the segments.
fn selects(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        ([], []) => true,
        (["**"], _) => true,
        ([first, pattern @ ..], [segment, topic @ ..]) => {
            (*first == "*" || first == segment) && selects(pattern, topic)
        }
        _ => false,
    }
}

/// Every topic of up to five segments over the letters of [`topic`] and one letter that no pattern names.
fn universe() -> Vec<String> {
    let mut all = Vec::new();
    let mut longest = vec![String::new()];
    for _ in 0..5 {
        longest = longest
            .iter()
            .flat_map(|start| {
                ["a", "b", "c"].map(|s| if start.is_empty() { s.to_owned() } else { format!("{start}:{s}") })
            })
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

proptest! {
    #[test]
    fn matches_as_defined(pattern in pattern(), topic in topic()) {
        let split = |text| str::split(text, ':').collect::<Vec<_>>();
        prop_assert_eq!(matches(&pattern, &topic), selects(&split(&pattern), &split(&topic)));
    }

    #[test]
    fn a_topic_selects_itself_alone(a in topic(), b in topic()) {
        prop_assert_eq!(matches(&a, &b), a == b);
    }

    #[test]
    fn overlaps_means_a_common_topic(a in pattern(), b in pattern()) {
        let common = universe().iter().any(|topic| matches(&a, topic) && matches(&b, topic));
        prop_assert_eq!(overlaps(&a, &b), common);
        prop_assert_eq!(overlaps(&b, &a), common);
    }

    #[test]
    fn any_text_gets_an_answer(text in ".*") {
        let _ = check_pattern(&text);
        let _ = check_topic(&text);
    }

    #[test]
    fn what_is_generated_is_accepted(pattern in pattern()) {
        prop_assert!(check_pattern(&pattern).is_ok());
    }
}
