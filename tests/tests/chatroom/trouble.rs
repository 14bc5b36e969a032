//! Bad surroundings: one clear message that says what to do, the right exit code, and nothing lost that was accepted.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use tests::{Program, Signal, Source};

use crate::run::{PATIENCE, Place, binary};

/// Runs a program that cannot start, and gives what it says.
fn refused(program: Program) -> String {
    let mut running = program.start().unwrap();
    let status = running.wait(PATIENCE).unwrap();
    let said = running.text(Source::Stderr);
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_missing_tree_is_named_and_what_had_started_is_stopped() {
    let place = Place::with_files(0);
    let said = refused(place.program().args(["--watch", "no-such-tree"]));
    assert!(said.contains("cannot watch no-such-tree"), "{said}");
    assert!(said.contains("name a readable directory with --watch DIR"), "{said}");
    let report = place.report();
    report.check();
    assert_eq!(report.exit_code, 1);
    assert_eq!(report.daemon("code").state, "failed");
    assert_eq!(report.daemon("data").state, "stopped");
}

#[test]
fn a_locked_database_is_named() {
    let place = Place::with_files(0);
    let holder = Connection::open(place.path("chat.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE t (x)").unwrap();
    let said = refused(place.program());
    assert!(said.contains("chat.db is locked by another process; close that process or choose another file"), "{said}");
    let report = place.report();
    report.check();
    assert_eq!(report.daemon("data").state, "failed");
    assert!(report.daemon("session").started_ms.is_none(), "{report:#?}");
}

#[test]
fn a_corrupt_database_is_named_and_left_as_it_is() {
    let place = Place::with_files(0);
    let garbage = "this was never a database\n".repeat(1000);
    std::fs::write(place.path("chat.db"), &garbage).unwrap();
    let said = refused(place.program());
    assert!(said.contains("is damaged or is not an SQLite database"), "{said}");
    assert_eq!(std::fs::read_to_string(place.path("chat.db")).unwrap(), garbage);
}

#[test]
fn a_database_of_another_program_is_not_touched() {
    let place = Place::with_files(0);
    let theirs = Connection::open(place.path("chat.db")).unwrap();
    theirs.execute_batch("CREATE TABLE chat_messages (theirs)").unwrap();
    drop(theirs);
    let said = refused(place.program());
    assert!(said.contains("is the database of another program"), "{said}");
    assert_eq!(place.rows("SELECT name FROM sqlite_schema"), ["chat_messages"]);
}

#[test]
fn an_unreadable_directory_is_passed_over_with_one_message() {
    let place = Place::with_files(5);
    let hidden = place.path("tree/hidden");
    std::fs::create_dir(&hidden).unwrap();
    std::fs::write(hidden.join("secret.rs"), "").unwrap();
    std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o000)).unwrap();
    if std::fs::read_dir(&hidden).is_ok() {
        return; // root reads everything
    }
    let mut running = place.program().start().unwrap();
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("5 files are indexed")).unwrap();
    running.signal(Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
    let said = running.text(Source::Stderr);
    assert_eq!(said.matches("hidden cannot be read and is not indexed").count(), 1, "{said}");
    std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_disk_without_room_holds_lines_up_and_names_the_first_that_is_not_stored() {
    // A limit on the size of files stands for the full disk: any user may set it. The signal of that limit is ignored so
    // that the write fails instead, as on a full disk.
    let place = Place::with_files(0);
    let line = "x".repeat(1000);
    let lines: String = (0..4000).map(|number| format!("{number} {line}\n")).collect();
    std::fs::write(place.path("lines"), lines).unwrap();
    let limited = "trap '' XFSZ; ulimit -f 1000; exec \"$@\" < lines";
    let shell = Program::new("/bin/sh").current_dir(place.path("")).args(["-c", limited, "sh"]);
    let program = shell.args([binary()]).args(["--watch", "tree", "--report", "report.json", "--db", "chat.db"]);
    let mut running = program.start().unwrap();
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("what is to be written waits")).unwrap();
    running.signal(Signal::TERM).unwrap();
    running.wait(PATIENCE).unwrap();
    let said = running.text(Source::Stderr);
    let stored = place.messages();
    // Whichever daemon met the limit first: the first line that is not there is named.
    let next = stored.len() + 1;
    let named = ["of standard input are not stored", "are not taken any more"]
        .iter()
        .any(|fate| said.contains(&format!("lines from {next} on {fate}")));
    assert!(named, "{} are stored; {said}", stored.len());
    for (number, text) in stored.iter().enumerate() {
        assert!(text.starts_with(&format!("{number} ")), "{number}: {text}");
    }
    place.report().check();
}

#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    for wrong in [["--for", "5 parsecs"], ["--for", "0s"], ["--wacth", "x"]] {
        let output = Command::new(binary()).args(wrong).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--help"), "{said}");
    }
}
