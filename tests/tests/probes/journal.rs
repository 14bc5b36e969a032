//! The journal of systemd: its real daemon, in a mount namespace of its own, with no other part of systemd.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use super::*;

const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// Starts a journal of its own, runs a program whose standard error leads there, and shows what came of it.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal "$XDG_RUNTIME_DIR"
"$JOURNALD" & journal=$!
for _ in $(seq 300); do [ -S /run/systemd/journal/stdout ] && break; sleep 0.1; done
# systemd itself tells a service which stream leads to the journal.
systemd-cat --identifier=cat sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$PROGRAM"' & program=$!
kill_all() { kill "$journal"; }
trap kill_all EXIT
for _ in $(seq 300); do
    journalctl --directory=/run/log/journal --output=json | grep -q '"EVENT":"number:counted"' && break
    sleep 0.1
done
kill "$program"
wait "$program"
journalctl --directory=/run/log/journal --output=json --all
"#;

type Entry = BTreeMap<String, serde_json::Value>;

#[test]
fn logs_have_fields_in_the_real_journal() {
    if !is_there(JOURNALD) || !is_there("unshare") {
        return;
    }
    if !Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|done| done.success()) {
        return tests::not_run("the journal of systemd", "this user may not mount");
    }
    let (place, port) = (Place::new(), free_port());
    let script = place.write("journal.sh", SCRIPT);
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();
    let mut running = Program::new("unshare")
        .args(["--mount", "sh", &script])
        .env("PROGRAM", built("examples", Target::Example("09-visible")).unwrap())
        .env("JOURNALD", JOURNALD)
        .env("PORT", port.to_string())
        .env("RUST_LOG", "info,daemon_core::events=debug")
        .start()
        .unwrap();
    assert_eq!(running.wait(PATIENCE * 3).unwrap().code(), Some(0), "{}", running.text(Source::Stderr));
    let shown = running.text(Source::Stdout);
    let entries: Vec<Entry> = shown.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is = |entry: &Entry, name: &str, value: &str| entry.get(name).and_then(|of| of.as_str()) == Some(value);
    let shown: String = shown.chars().take(10_000).collect();
    let counted =
        entries.iter().find(|entry| is(entry, "EVENT", "number:counted")).unwrap_or_else(|| panic!("{shown}"));
    for (name, value) in [
        ("DAEMON", "listening"),
        ("HANDLER", "counted"),
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "visible"),
        ("_TRANSPORT", "journal"),
        ("MESSAGE", "listening: counted number=0"),
        ("NUMBER", "0"),
    ] {
        assert!(is(counted, name, value), "{name} is not {value} in {counted:#?}");
    }
    assert!(
        entries.iter().any(|entry| is(entry, "DAEMON", "http") && entry.contains_key("CODE_FILE")),
        "every daemon's logs have its name: {shown}"
    );
    // What the host prints, its receipt and its report, goes the usual way.
    assert!(entries.iter().any(|entry| is(entry, "_TRANSPORT", "stdout") && is(entry, "SYSLOG_IDENTIFIER", "cat")));
}
