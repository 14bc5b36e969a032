//! Topics and the patterns that select them.
//!
//! A topic is segments split by `:`; a segment is one or more of `A-Z a-z 0-9 _ . -`. In a pattern a whole segment may
//! be `*` (exactly one segment) and the last one may be `**` (any number of segments, none included).

use crate::GrammarError;

/// Checks a topic such as `data:users:created`: no wildcards.
///
/// # Errors
///
/// An empty segment, a character outside the set, or a wildcard.
pub fn check_topic(topic: &str) -> Result<(), GrammarError> {
    check_pattern(topic)?;
    if is_pattern(topic) {
        return Err(GrammarError::new(format!("topic {topic:?} has a wildcard; name every segment")));
    }
    Ok(())
}

/// Checks a pattern such as `data:users:*` or `data:**`. Every topic is a pattern that selects only itself.
///
/// # Errors
///
/// An empty segment, a character outside the set, a wildcard inside a segment, or a `**` that is not the last segment.
pub fn check_pattern(pattern: &str) -> Result<(), GrammarError> {
    if pattern.is_empty() {
        return Err(GrammarError::new("a topic is empty; write segments split by ':', such as \"data:users:created\""));
    }
    let mut segments = pattern.split(':').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" => {
                return Err(GrammarError::new(format!(
                    "topic {pattern:?} has an empty segment; {}",
                    without_empty(pattern)
                )));
            }
            "*" => {}
            "**" if segments.peek().is_none() => {}
            "**" => {
                return Err(GrammarError::new(format!(
                    "'**' is not the last segment of {pattern:?}; use '*' for one segment, '**' only at the end"
                )));
            }
            _ => check_segment(pattern, segment)?,
        }
    }
    Ok(())
}

fn without_empty(pattern: &str) -> String {
    let kept: Vec<_> = pattern.split(':').filter(|segment| !segment.is_empty()).collect();
    if kept.is_empty() { "name each one".to_owned() } else { format!("write {:?}", kept.join(":")) }
}

fn check_segment(pattern: &str, segment: &str) -> Result<(), GrammarError> {
    let Some(c) = segment.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-')) else {
        return Ok(());
    };
    Err(GrammarError::new(match c {
        '*' => format!(
            "'*' stands inside segment {segment:?} of {pattern:?}; a wildcard is a whole segment, such as \"data:*\""
        ),
        '/' => format!("'/' cannot stand in topic {pattern:?}; split segments by ':'"),
        _ => format!(
            "{c:?} cannot stand in topic {pattern:?}; use A-Z, a-z, 0-9, '_', '.', '-', and ':' between segments"
        ),
    }))
}

/// Whether a checked pattern has a wildcard.
#[must_use]
pub fn is_pattern(pattern: &str) -> bool {
    pattern.contains('*')
}

/// Whether a pattern selects a topic. Both are taken to be checked.
///
/// # Example
///
/// ```
/// use daemon_grammar::topic::matches;
///
/// assert!(matches("data:*:created", "data:users:created"));
/// assert!(matches("data:**", "data"));
/// assert!(!matches("data:*", "data:users:created"));
/// ```
#[must_use]
pub fn matches(pattern: &str, topic: &str) -> bool {
    let mut topic = topic.split(':');
    for segment in pattern.split(':') {
        if segment == "**" {
            return true;
        }
        match topic.next() {
            Some(found) if segment == "*" || segment == found => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

/// Whether some topic is selected by both patterns. Both are taken to be checked.
#[must_use]
pub fn overlaps(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split(':'), b.split(':'));
    loop {
        match (a.next(), b.next()) {
            (Some("**"), _) | (_, Some("**")) | (None, None) => return true,
            (Some(a), Some(b)) if a == "*" || b == "*" || a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
