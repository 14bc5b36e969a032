//! What the guide shows is what operators see: its commands are run, in its order, and their answers compared but for numbers.

use tests::program::{Target, built};

use super::{Place, Result, done};

/// A command in the guide, and the answer shown below it.
struct Shown<'a> {
    command: &'a str,
    answer: Vec<&'a str>,
}

/// The blocks that begin with a prompt, each line of which is a command or belongs to the answer of the one above.
fn shown(guide: &str) -> Vec<Shown<'_>> {
    let mut all: Vec<Shown<'_>> = Vec::new();
    for block in guide.split("```text\n").skip(1).filter(|block| block.starts_with("$ ")) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            match (line.strip_prefix("$ "), all.last_mut()) {
                _ if line.is_empty() => {}
                (Some(command), _) => all.push(Shown { command, answer: Vec::new() }),
                (None, Some(last)) => last.answer.push(line),
                (None, None) => {}
            }
        }
    }
    all
}

/// A line without what changes from run to run: numbers, their units, and how wide that makes columns.
fn without_numbers(line: &str) -> String {
    let word = |word: &str| match word.chars().any(|c| c.is_ascii_digit()) {
        true if word.contains(['{', '"']) => word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect(),
        true => "#".to_owned(),
        false if word == "ticking" => "active".to_owned(),
        false => word.trim_end_matches(',').to_owned(),
    };
    let words = line.split_whitespace().map(word).filter(|word| !matches!(&**word, "ms" | "s" | "µs" | "-"));
    let mut words: Vec<_> = words.map(|word| word.replace("##", "#")).collect();
    words.dedup();
    words.join(" ")
}

#[test]
fn the_guide_shows_what_operators_see() -> Result {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/cli.md"))?;
    let place = Place::new()?;
    let garden = built("examples", Target::Example("08-command-line"))?;
    let commands = shown(&guide);
    assert!(commands.len() >= 8, "the guide shows {} commands", commands.len());
    for Shown { command, answer } in commands {
        let arguments: Vec<_> = command.split(' ').skip(1).map(|word| word.trim_matches('\'')).collect();
        let answered = done(place.program(&garden).args(arguments).start()?)?;
        answered.expect(0);
        let said: Vec<_> = answered.out.lines().collect();
        assert!(said.iter().all(|line| line.chars().count() <= 80), "{command}: {answered:#?}");
        let bare = |lines: &[&str]| lines.iter().map(|line| without_numbers(line)).collect::<Vec<_>>();
        assert_eq!(
            bare(&answer),
            bare(&said),
            "{command}: the guide shows\n{}\nand it says\n{}",
            answer.join("\n"),
            answered.out
        );
    }
    Ok(())
}
