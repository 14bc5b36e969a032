//! The pages that promise something agree with the tests that prove it, and those about decisions with what was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const GUARANTEES: &str = include_str!("../../docs/guarantees.md");
const EXIT_CODES: &str = include_str!("../../docs/reference/exit-codes.md");
const FROM_OUTFITTER: &str = include_str!("../../docs/reference/from-outfitter.md");

/// The tests a page names, each as `path::name` in backquotes.
fn named(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter_map(|text| text.split_once(".rs::"))
}

/// Whether the source has a test of that name: a function that is marked as one, or a line of a macro that makes them.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let function = format!("fn {name}(");
    let is_attribute = |line: &&&str| line.starts_with("#[") || line.starts_with("///");
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    let marked = |at: usize| lines[..at].iter().rev().take_while(is_attribute).any(is_test);
    let defined = |(at, line): (usize, &&str)| line.contains(&function) && marked(at);
    let row = format!("{name}: ");
    lines.iter().enumerate().any(defined)
        || source.contains("macro_rules!") && lines.iter().any(|line| line.starts_with(&row))
}

#[test]
fn every_test_that_a_page_names_exists() {
    let mut missing = Vec::new();
    for (path, name) in [GUARANTEES, EXIT_CODES, FROM_OUTFITTER].into_iter().flat_map(named) {
        let file = Path::new(ROOT).join(path).with_extension("rs");
        let found = std::fs::read_to_string(file).is_ok_and(|source| has_test(&source, name));
        if !found {
            missing.push(format!("{path}.rs::{name}"));
        }
    }
    assert!(missing.is_empty(), "named, but there is no such test:\n{}", missing.join("\n"));
}

#[test]
fn each_guarantee_is_there_once_with_its_tests_or_a_plain_not_yet() {
    let mut sections: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for section in GUARANTEES.split("\n## G").skip(1) {
        let (number, rest) = section.split_once(' ').unwrap();
        sections.entry(number.parse().unwrap()).or_default().push(rest);
    }
    assert!(sections.keys().copied().eq(1..=15), "{:?}", sections.keys());
    for (number, sections) in sections {
        let [section] = &*sections else { panic!("G{number} is there {} times", sections.len()) };
        let bare = named(section).next().is_none();
        assert!(
            !bare || section.contains("**Not yet.**"),
            "G{number} names no test, and does not say that it is not kept yet"
        );
        assert!(bare || section.contains("**Limits.**"), "G{number} has no limits");
    }
}

#[test]
fn every_exit_code_is_proved() {
    let rows = || EXIT_CODES.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let proved: Vec<_> = rows().filter(|(_, rest)| rest.starts_with('`')).map(|(code, _)| code).collect();
    let codes: Vec<_> = rows().filter(|(_, rest)| !rest.starts_with('`')).map(|(code, _)| code).collect();
    for code in ["128 + n", "75", "69", "1", "0"] {
        assert!(codes.contains(&code) && proved.contains(&code), "{code}: {codes:?}, {proved:?}");
    }
}

#[test]
fn every_design_note_has_its_number_and_its_question_in_the_index() {
    let design = Path::new(ROOT).join("docs/design");
    let index = std::fs::read_to_string(design.join("README.md")).unwrap();
    let mut expected = BTreeSet::new();
    for file in std::fs::read_dir(&design).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let Some((number, _)) = name.split_once('-').filter(|(number, _)| number.parse::<u32>().is_ok()) else {
            continue;
        };
        let text = std::fs::read_to_string(design.join(&name)).unwrap();
        let question = text.lines().next().and_then(|head| head.strip_prefix(&format!("# {number}: ")));
        let question = question.unwrap_or_else(|| panic!("{name} does not begin with its number"));
        expected.insert(format!("| [{number}]({name}) | {question} |"));
    }
    let listed = index.lines().filter(|line| line.starts_with("| [0")).map(str::to_owned).collect();
    assert_eq!(expected, listed);
}

#[test]
fn every_dependency_is_explained() {
    let manifest = include_str!("../../Cargo.toml");
    let section = manifest.split("[workspace.dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let page = include_str!("../../docs/design/dependencies.md");
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let explained: BTreeSet<_> = page.split(|c| !is_of_name(c)).collect();
    let named = section.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
    let missing: Vec<_> = named.filter(|name| !name.starts_with("daemon-") && !explained.contains(name)).collect();
    assert!(missing.is_empty() && section.contains("tokio = "), "not in docs/design/dependencies.md: {missing:?}");
}

#[test]
fn what_is_no_test_is_not_taken_for_one() {
    let source = "#[test]\nfn real() {}\n\nfn helper() {}\n#[tokio::test(start_paused = true)]\nasync fn slow() {}\n";
    assert!(has_test(source, "real") && has_test(source, "slow"));
    assert!(!has_test(source, "helper") && !has_test(source, "absent"));
}
