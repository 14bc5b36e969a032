//! What goes in comes out: lines, bytes, files, and what changes on disk.

use std::collections::BTreeSet;

use tests::Source;

use crate::run::{PATIENCE, Place};

#[test]
fn ten_thousand_lines_and_a_large_tree_are_stored_and_accounted_for() {
    const LINES: usize = 10_000;
    const FILES: usize = 5_000;
    let place = Place::with_files(FILES);
    let mut running = place.program().args(["--for", "5s"]).start().unwrap();
    let lines: Vec<String> = (0..LINES).map(|number| format!("line {number} of a long day")).collect();
    running.write((lines.join("\n") + "\n").as_bytes()).unwrap();
    running.close_stdin();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0), "{}", running.text(Source::Stderr));

    assert_eq!(place.messages(), lines);
    assert_eq!(place.rows("SELECT path FROM code_index").len(), FILES);
    assert_eq!(place.rows("SELECT id FROM users WHERE kind = 'persona' AND status = 'offline'").len(), 14);
    assert_eq!(place.rows("SELECT id FROM training_examples").len(), LINES / 10);
    let report = place.report();
    report.check_clean();
    assert!((4_900..20_000).contains(&report.uptime_ms), "{}", report.uptime_ms);
    let wildcard = report.events.iter().find(|row| row.subscription.starts_with("events.")).unwrap();
    assert!(wildcard.handled as usize >= LINES + FILES, "{wildcard:?}");
}

#[test]
fn daemons_start_in_waves_and_stop_in_reverse() {
    let place = Place::with_files(3);
    let mut running = place.program().args(["--for", "500ms"]).start().unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
    let report = place.report();
    report.check_clean();
    for first in ["console", "data", "command", "events", "widget", "health", "proxy"] {
        assert_eq!(report.daemon(first).wave, 1, "{first}");
    }
    let data = report.daemon("data");
    for second in ["session", "user", "training", "room-membership", "lease", "code"] {
        let daemon = report.daemon(second);
        assert_eq!(daemon.wave, 2, "{second}");
        assert!(daemon.requires.contains(&"data".to_owned()), "{daemon:?}");
        assert!(daemon.started_ms >= data.started_ms, "{daemon:?} {data:?}");
        assert!(daemon.stopped_ms <= data.stopped_ms, "{daemon:?} {data:?}");
    }
    assert!(report.daemon("user").requires.contains(&"command".to_owned()));
}

#[test]
fn a_line_names_its_room_and_everybody_joins_a_room_made_later() {
    let place = Place::with_files(0);
    let mut running = place.program().start().unwrap();
    running.write(b"no room named\nattic: up here\n10:30 is a time\n\nattic:\n").unwrap();
    place.wait_for_rows("SELECT 1 FROM chat_messages", 5);
    place.wait_for_rows("SELECT 1 FROM rooms, json_each(members) WHERE rooms.id = 'attic'", 15);
    place.wait_for_rows("SELECT 1 FROM rooms, json_each(members) WHERE rooms.id = 'academy'", 14);
    running.signal(tests::Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
    let rooms = place.rows("SELECT room || '|' || text FROM chat_messages ORDER BY rowid");
    assert_eq!(rooms, ["general|no room named", "attic|up here", "general|10:30 is a time", "general|", "attic|"]);
    place.report().check_clean();
}

#[test]
fn bytes_that_are_no_text_are_kept_lossily_and_told_once() {
    let place = Place::with_files(0);
    let mut running = place.program().start().unwrap();
    running.write(b"good\nbad \xFF\xFE byte\nworse \x80\nlast without newline").unwrap();
    running.close_stdin();
    place.wait_for_rows("SELECT 1 FROM chat_messages", 4);
    running.signal(tests::Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
    assert_eq!(place.messages(), ["good", "bad \u{FFFD}\u{FFFD} byte", "worse \u{FFFD}", "last without newline"]);
    let said = running.text(Source::Stderr);
    assert_eq!(said.matches("is not UTF-8").count(), 1, "{said}");
    assert!(said.contains("line 2 of standard input is not UTF-8"), "{said}");
}

#[test]
fn the_end_of_standard_input_stops_nothing() {
    let place = Place::with_files(0);
    let mut running = place.program().start().unwrap();
    running.close_stdin();
    running
        .wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("standard input ended after 0 lines"))
        .unwrap();
    // It goes on following the tree.
    std::fs::write(place.path("tree/later.rs"), "").unwrap();
    place.wait_for_rows("SELECT 1 FROM code_index WHERE path = 'later.rs'", 1);
    running.signal(tests::Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
    place.report().check_clean();
}

#[test]
fn the_index_follows_files_and_directories_as_they_come_change_and_go() {
    let place = Place::with_files(10);
    let mut running = place.program().start().unwrap();
    let index = |expected: &[&str]| {
        let list: Vec<String> = expected.iter().map(|path| format!("'{path}'")).collect();
        place.wait_for_rows(&format!("SELECT 1 FROM code_index WHERE path IN ({})", list.join(", ")), expected.len());
    };
    place.wait_for_rows("SELECT 1 FROM code_index", 10);
    std::fs::create_dir_all(place.path("tree/new/deep")).unwrap();
    std::fs::write(place.path("tree/new/deep/a.py"), "1").unwrap();
    index(&["new/deep/a.py"]);
    std::fs::write(place.path("tree/new/deep/a.py"), "much longer").unwrap();
    place.wait_for_rows("SELECT 1 FROM code_index WHERE path = 'new/deep/a.py' AND bytes = 11", 1);
    std::fs::rename(place.path("tree/new"), place.path("tree/moved")).unwrap();
    index(&["moved/deep/a.py"]);
    std::fs::write(place.path("tree/moved/deep/b.py"), "2").unwrap();
    index(&["moved/deep/a.py", "moved/deep/b.py"]);
    std::fs::remove_dir_all(place.path("tree/moved")).unwrap();
    std::fs::create_dir_all(place.path("tree/target/debug")).unwrap();
    std::fs::write(place.path("tree/target/debug/x.o"), "").unwrap();
    place.wait_for_rows("SELECT 1 FROM code_index", 10);
    running.signal(tests::Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
    place.report().check_clean();
}

#[test]
fn a_second_run_on_the_same_file_keeps_what_was_there_and_forgets_files_that_are_gone() {
    let place = Place::with_files(20);
    for run in 0..2 {
        let mut running = place.program().start().unwrap();
        running.write(format!("run {run}\n").as_bytes()).unwrap();
        place.wait_for_rows(&format!("SELECT 1 FROM chat_messages WHERE text = 'run {run}'"), 1);
        place.wait_for_rows("SELECT 1 FROM code_index", 20 - run);
        running.signal(tests::Signal::TERM).unwrap();
        assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
        std::fs::remove_file(place.path("tree/part-0/file-7.rs")).ok();
    }
    assert_eq!(place.messages(), ["run 0", "run 1"]);
    let ids: BTreeSet<String> = place.rows("SELECT id FROM chat_messages").into_iter().collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(place.rows("SELECT id FROM sessions").len(), 2);
}
