use super::*;
use crate::client::{TO_ASK, TO_CALL, TO_CHANGE};
use clap::{Command, CommandFactory};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    operator: Operator,
}

#[test]
fn the_definitions_are_sound() {
    Daemonctl::command().debug_assert();
    Program::command().debug_assert();
}

#[test]
fn options_stand_anywhere_behind_their_command() {
    for words in
        [&["x", "schedule", "--json", "list"][..], &["x", "schedule", "list", "--json"], &["x", "schedule", "--json"]]
    {
        let parsed = Program::try_parse_from(words).unwrap();
        let Some(Embedded::Verb(Verb::Schedule { ask, .. })) = parsed.operator.verb else { panic!("{words:?}") };
        assert!(ask.json, "{words:?}");
    }
}

#[test]
fn a_name_stands_before_the_command() {
    let parsed = Daemonctl::try_parse_from(["daemonctl", "chat", "wait", "--ready", "--timeout", "1m30s"]).unwrap();
    let Verb::Wait { state, ask } = parsed.verb else { panic!("{parsed:?}") };
    assert_eq!((parsed.name.as_deref(), state.ready, ask.timeout), (Some("chat"), true, Some(Duration::from_secs(90))));
    assert!(Daemonctl::try_parse_from(["daemonctl", "chat", "wait"]).is_err());
    let shell = Daemonctl::try_parse_from(["daemonctl", "completions", "bash"]).unwrap();
    assert!(shell.name.is_none() && matches!(shell.verb, Verb::Completions { .. }));
}

#[test]
fn a_negative_number_is_a_request() {
    let parsed = Daemonctl::try_parse_from(["daemonctl", "chat", "call", "calculator.double", "-4"]).unwrap();
    assert!(matches!(parsed.verb, Verb::Call { request: Some(request), .. } if request == "-4"));
}

fn guide() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/cli.md")).unwrap()
}

/// What the guide puts between backticks, outside of its blocks of code.
fn words_of(guide: &str) -> Vec<String> {
    let prose = guide.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    prose.split('`').skip(1).step_by(2).map(|code| code.replace("\\|", "|")).collect()
}

/// The commands that can be seen, and below them theirs, each with the words that lead to it.
fn commands(of: &Command, before: &str) -> Vec<(String, Command)> {
    let visible = of.get_subcommands().filter(|command| command.get_name() != "help");
    let with = |command: &Command| {
        let path = format!("{before}{}", command.get_name());
        let below = commands(command, &format!("{path} "));
        std::iter::once((path, command.clone())).chain(below).collect::<Vec<_>>()
    };
    visible.flat_map(with).collect()
}

/// The options that can be seen, in their long form.
fn options(of: &Command) -> Vec<String> {
    let visible = of.get_arguments().filter(|argument| !argument.is_hide_set() && !argument.is_positional());
    visible.map(|option| format!("--{}", option.get_long().unwrap_or_default())).collect()
}

#[test]
fn the_guide_names_every_command_and_every_option_and_no_other() {
    let words = words_of(&guide());
    let all = [commands(&Daemonctl::command(), ""), commands(&Program::command(), "")].concat();
    let names: std::collections::BTreeSet<&str> = all.iter().flat_map(|(path, _)| path.split(' ')).collect();
    for name in &names {
        let is_named = |word: &String| word.split([' ', '|', '[', ']']).any(|part| part == *name);
        assert!(words.iter().any(is_named), "the guide does not tell of `{name}`");
    }
    let known = all.iter().flat_map(|(_, command)| options(command)).chain(options(&Daemonctl::command()));
    let known: std::collections::BTreeSet<String> = known.collect();
    let is_known = |word: &str| word == "--help" || known.contains(word);
    let short = |option: &str| match option {
        "--count" | "--lines" => Some("-n"),
        "--follow" => Some("-f"),
        _ => None,
    };
    for option in &known {
        let is_named = |word: &String| word.contains(option) || short(option).is_some_and(|short| word.contains(short));
        assert!(words.iter().any(is_named), "the guide does not tell of `{option}`");
    }
    for word in words.iter().flat_map(|word| word.split([' ', '|', '[', ']', ','])) {
        assert!(!word.starts_with("--") || is_known(word), "there is no option `{word}`");
    }
    let guide = guide();
    let (_, table) = guide.split_once("| command | |\n").unwrap();
    for row in table.split("\n\n").next().unwrap().lines().filter_map(|line| line.strip_prefix("| `")) {
        let first = row.split([' ', '`']).next().unwrap_or_default();
        assert!(names.contains(first), "there is no command `{first}`");
    }
}

#[test]
fn the_deadlines_that_are_told_are_those_that_are_kept() {
    let [ask, call, change] = [TO_ASK, TO_CALL, TO_CHANGE].map(|limit| limit.as_secs());
    let told = format!("{ask} s to ask; {call} s to call; {change} s to start, stop, reload and wait");
    assert!(guide().contains(&told), "{told}");
    let help = Daemonctl::command().find_subcommand_mut("status").unwrap().render_long_help().to_string();
    assert!(help.contains(&told.replace(" s ", "s ")), "{help}");
}
