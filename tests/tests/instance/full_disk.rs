use std::process::Command;

use tests::TempDir;

use super::{Arena, CONTENDER, Result};

/// Runs a script of the shell with the contender as `$0`; what it says, line by line.
fn script(program: &[&str], script: &str, args: &[&str]) -> Result<Vec<String>> {
    let mut command = Command::new(program[0]);
    let output = command.args(&program[1..]).args(["sh", "-euc", script, CONTENDER]).args(args).output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {errors}", output.status);
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

#[test]
fn a_pid_that_cannot_be_written_leaves_no_lock() -> Result {
    let arena = Arena::new()?;
    let (lock, witness) = (arena.lock.to_str().unwrap(), arena.witness.to_str().unwrap());
    let limited = r#"trap "" XFSZ; ulimit -f 0; echo . | "$0" "$1" "$2" || echo "ended with $?""#;
    let said = script(&["env"], limited, &[lock, witness])?;
    assert_eq!(said, ["failed: Failed to write lock file: File too large (os error 27)", "ended with 1"]);
    assert_eq!(arena.left(), ["witness"]);
    arena.starts();
    Ok(())
}

/// A file system of one page, mounted where nobody else sees it.
const ON_A_SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=4k tmpfs "$1"
    try() { echo . | "$0" "$1/daemon.lock" "$2" || echo "ended with $?"; ls "$1"; }
    echo full > "$1/fill"
    try "$1" "$2"
    rm "$1/fill"
    echo 1 > "$1/daemon.lock"
    mount -o remount,ro "$1"
    try "$1" "$2"
    cat "$1/daemon.lock"
    mount -o remount,rw "$1"
    try "$1" "$2"
"#;

#[test]
fn a_full_and_a_read_only_disk_are_told_of_and_leave_no_lock() -> Result {
    let namespaces: [&[&str]; 2] = [&["unshare", "--mount"], &["unshare", "--map-root-user", "--mount"]];
    let allowed = |namespace: &&[&str]| {
        let can_mount = ["sh", "-c", "mount -t tmpfs tmpfs /mnt"];
        Command::new(namespace[0]).args(&namespace[1..]).args(can_mount).output().is_ok_and(|ran| ran.status.success())
    };
    let Some(namespace) = namespaces.into_iter().find(allowed) else {
        tests::not_run("a full disk", "this user may not mount a small one");
        return Ok(());
    };
    let (dir, elsewhere) = (TempDir::new()?, TempDir::new()?);
    let witness = elsewhere.path().join("witness");
    let said = script(namespace, ON_A_SMALL_DISK, &[dir.path().to_str().unwrap(), witness.to_str().unwrap()])?;
    let expected = [
        "failed: Failed to write lock file: No space left on device (os error 28)",
        "ended with 1",
        "fill",
        "failed: Failed to open lock file: Read-only file system (os error 30)",
        "ended with 1",
        "daemon.lock",
        "1",
    ];
    assert_eq!(said[..expected.len()], expected);
    let [held] = &said[expected.len()..] else { panic!("something is left: {said:?}") };
    assert!(held.starts_with("held by "), "{said:?}");
    Ok(())
}
