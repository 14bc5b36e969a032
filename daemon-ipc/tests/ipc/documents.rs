//! What the documents say of limits is what the limits are.

use daemon_ipc::Limits;
use std::time::Duration;

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A number and its unit as a person writes them, as bytes, milliseconds or a count.
fn value(text: &str) -> u128 {
    let mut words = text.split_whitespace();
    let number: u128 = words.next().unwrap_or_default().replace(',', "").parse().unwrap_or_else(|_| panic!("{text:?}"));
    let unit = match words.next().unwrap_or_default() {
        "" | "ms" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "s" => 1000,
        "min" => 60 * 1000,
        "h" | "hour" => 60 * 60 * 1000,
        other => panic!("what is a {other:?}?"),
    };
    number * unit
}

/// Every limit with its name and its default.
fn limits() -> [(&'static str, u128); 10] {
    let Limits {
        max_frame,
        max_connections,
        max_in_flight,
        max_waiting,
        read_timeout,
        write_timeout,
        idle_timeout,
        request_timeout,
        cancel_grace,
        drain_timeout,
        ..
    } = Limits::default();
    let millis = |time: Duration| time.as_millis();
    [
        ("max_frame", max_frame as u128),
        ("max_connections", max_connections as u128),
        ("max_in_flight", max_in_flight as u128),
        ("max_waiting", max_waiting as u128),
        ("read_timeout", millis(read_timeout)),
        ("write_timeout", millis(write_timeout)),
        ("idle_timeout", millis(idle_timeout)),
        ("request_timeout", millis(request_timeout)),
        ("cancel_grace", millis(cancel_grace)),
        ("drain_timeout", millis(drain_timeout)),
    ]
}

#[test]
fn the_guides_table_has_every_limit_with_its_default() {
    let guide = read("docs/guide/ipc.md");
    let rows = guide.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").map(str::trim).collect()).collect();
    for (name, default) in limits() {
        let is_of = |row: &&Vec<&str>| row.last().is_some_and(|setter| setter.contains(&format!("with_{name}`")));
        let row = rows.iter().find(is_of).unwrap_or_else(|| panic!("no row for `with_{name}`"));
        let told = row[1].split(';').next().unwrap_or_default();
        assert_eq!(value(told), default, "{name}: {told}");
    }
    let told = rows.iter().filter(|row| row.last().is_some_and(|setter| setter.contains("with_")));
    assert_eq!(told.count(), limits().len(), "a row is of no limit");
}

#[test]
fn what_a_limit_says_of_itself_is_its_default() {
    let source = read("daemon-ipc/src/limits.rs");
    let (_, fields) = source.split_once("pub struct Limits {").unwrap();
    let (fields, _) = fields.split_once("\n}").unwrap();
    let fields: Vec<&str> = fields.split_inclusive("pub ").collect();
    assert_eq!(fields.len() - 1, limits().len(), "another limit is to be told of");
    for (field, (name, default)) in fields.iter().zip(limits()) {
        let (_, told) = field.split_once("\\[").unwrap_or_else(|| panic!("{name} tells no default: {field}"));
        let (told, _) = told.split_once("\\]").unwrap();
        assert_eq!(value(told), default, "{name}: {told}");
    }
}

#[test]
fn what_the_readme_says_of_the_limits_is_so() {
    let of = |name: &str| limits().into_iter().find(|(known, _)| *known == name).unwrap().1;
    let readme = read("README.md");
    let row = readme.lines().find(|line| line.starts_with("| IPC |")).unwrap();
    let (before, _) = row.split_once(" a line, ").unwrap();
    assert_eq!(value(before.rsplit_once("| ").unwrap().1), of("max_frame"));
    let (before, _) = row.split_once(" requests of a connection at work").unwrap();
    assert_eq!(value(before.rsplit_once(", ").unwrap().1), of("max_in_flight"));
}
