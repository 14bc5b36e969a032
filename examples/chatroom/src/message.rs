//! What a line of input says: `room: text`, or text for the general room. Pure.

/// The room of a line that names none.
pub(crate) const GENERAL: &str = "general";

const LONGEST_ROOM: usize = 64;

/// Splits a line into the room it is for and what is said there.
///
/// A room is one word of letters, digits, `-` and `_`, followed by a colon and a blank (or the end of the line), so that
/// `10:30 is late` and `https://example.org` are plain text. Only that one blank is taken away: room and text
/// together still say the whole line.
pub(crate) fn parse(line: &str) -> (&str, &str) {
    match line.split_once(':') {
        Some((room, "")) if is_room(room) => (room, ""),
        Some((room, rest)) if is_room(room) => match rest.strip_prefix([' ', '\t']) {
            Some(text) => (room, text),
            None => (GENERAL, line),
        },
        _ => (GENERAL, line),
    }
}

fn is_room(word: &str) -> bool {
    let fits = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    (1..=LONGEST_ROOM).contains(&word.len()) && word.chars().all(fits)
}

/// The names mentioned in a text, as in `@ada what do you think?`.
pub(crate) fn mentions(text: &str) -> impl Iterator<Item = &str> {
    let begins_word = |at: usize| text[..at].chars().next_back().is_none_or(char::is_whitespace);
    text.match_indices('@').filter(move |(at, _)| begins_word(*at)).map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest.find(|character: char| !character.is_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// The command of a text that begins with a mention, and what it is asked: `@ada lease acquire {"path": "a.rs"}` is
/// `lease acquire` with that JSON.
pub(crate) fn command(text: &str) -> Option<(String, &str)> {
    let mut rest = text.trim_start();
    while rest.starts_with('@') {
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    let (daemon, rest) = rest.split_once(char::is_whitespace)?;
    let (command, request) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let is_spoken_to = text.trim_start().starts_with('@') && !command.is_empty();
    is_spoken_to.then(|| (format!("{daemon} {command}"), request.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_one_word_before_a_colon_and_a_blank() {
        let cases = [
            ("dev-updates: it builds", ("dev-updates", "it builds")),
            ("general:  two blanks ", ("general", " two blanks ")),
            ("büro: hallo", ("büro", "hallo")),
            ("empty:", ("empty", "")),
            ("no room here", (GENERAL, "no room here")),
            ("10:30 is late", (GENERAL, "10:30 is late")),
            ("https://example.org", (GENERAL, "https://example.org")),
            ("two words: text", (GENERAL, "two words: text")),
            (": nothing before", (GENERAL, ": nothing before")),
            ("", (GENERAL, "")),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), expected, "{line:?}");
        }
    }

    #[test]
    fn mentions_are_words_that_begin_with_an_at() {
        assert_eq!(mentions("@ada, and @grace: mail me@home @").collect::<Vec<_>>(), ["ada", "grace", ""]);
    }

    #[test]
    fn a_command_follows_the_mentions_at_the_beginning() {
        let cases = [
            ("@ada health ping", Some(("health ping", ""))),
            (" @ada @grace  lease  acquire  {\"path\": 1} ", Some(("lease acquire", "{\"path\": 1}"))),
            ("health ping", None),
            ("well, @ada health ping", None),
            ("@ada hello", None),
            ("@ada", None),
        ];
        for (text, expected) in cases {
            let found = command(text);
            assert_eq!(found.as_ref().map(|(name, request)| (name.as_str(), *request)), expected, "{text:?}");
        }
    }
}
