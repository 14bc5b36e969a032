//! A host that other processes talk to: it answers whatever its daemons do, and leaves nothing behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon_core::{CallError, instance};
use daemon_ipc::blocking::Connection;
use tests::{Program, Signal, TempDir};

use super::{Result, SOON, SUBJECT, Subject};

/// A host whose instance's files are in a directory of its own.
struct Served {
    subject: Subject,
    dir: TempDir,
}

impl Served {
    fn start(kind: &str) -> Result<Self> {
        Self::start_in(TempDir::new()?, kind)
    }

    fn start_in(dir: TempDir, kind: &str) -> Result<Self> {
        let program = Program::new(SUBJECT).runtime_dir(dir.path());
        let subject = Subject::start_by(program, &format!("served/{kind}@"), &[])?;
        // Its socket may be there before its daemons run.
        subject.started()?;
        Ok(Self { subject, dir })
    }

    fn socket(&self) -> PathBuf {
        socket_in(self.dir.path())
    }

    fn connect(&self) -> Result<Connection> {
        Ok(Connection::connect(self.socket())?)
    }
}

/// The directory of the host's files.
fn own(dir: &Path) -> PathBuf {
    dir.join("subject")
}

fn socket_in(dir: &Path) -> PathBuf {
    own(dir).join("daemon.sock")
}

fn files_in(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(own(dir))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[test]
fn the_socket_is_there_under_the_lock_of_the_instance_and_nothing_is_left_of_it() -> Result {
    let served = Served::start("calm")?;
    let mut connection = served.connect()?;
    let huge = u64::MAX;
    assert_eq!(connection.call_command::<_, u64>("room", "echo", &huge)?, huge);
    assert_eq!(files_in(served.dir.path())?, ["daemon.lock", "daemon.pid", "daemon.sock"]);
    assert!(instance::is_daemon_alive(own(served.dir.path()).join("daemon.lock")));
    connection.call_command::<_, ()>("room", "leave", &())?;
    let ended = served.subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(files_in(served.dir.path())?, [""; 0]);
    Ok(())
}

#[test]
fn after_kill_9_the_next_one_clears_the_dead_socket_and_serves() -> Result {
    let served = Served::start("calm")?;
    served.connect()?.call_command::<_, u32>("room", "echo", &1)?;
    served.subject.signal(Signal::KILL)?;
    let Served { subject, dir } = served;
    let mut running = subject.running;
    running.wait(SOON)?;
    assert!(socket_in(dir.path()).exists(), "kill -9 leaves it");
    let error = Connection::connect(socket_in(dir.path())).map(drop).unwrap_err();
    assert_eq!(error.tag(), "StaleSocketError", "{error}");
    let next = Served::start_in(dir, "calm")?;
    let mut connection = next.connect()?;
    assert_eq!(connection.call_command::<_, u32>("room", "echo", &2)?, 2);
    next.subject.signal(Signal::TERM)?;
    assert_eq!(next.subject.ends()?.code, Some(0));
    Ok(())
}

#[test]
fn a_host_whose_every_worker_is_blocked_still_answers_and_names_who_does_not() -> Result {
    let mut served = Served::start("blocked")?;
    served.subject.says("blocking")?;
    let mut connection = served.connect()?;
    let unknown = connection.call_command::<_, ()>("in-handler", "pong", &()).unwrap_err();
    assert!(matches!(unknown, CallError::UnknownCommand { .. }), "{unknown:?}");
    connection.set_timeout(Some(Duration::from_millis(200)));
    let error = connection.call_command::<_, ()>("in-handler", "ping", &()).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.to_string(), "`in-handler.ping` did not answer within 200ms");
    served.subject.running.write(b"\n")?;
    connection.set_timeout(Some(SOON));
    connection.call_command::<_, ()>("in-handler", "ping", &())?;
    served.subject.signal(Signal::TERM)?;
    assert_eq!(served.subject.ends()?.code, Some(0));
    assert_eq!(files_in(served.dir.path())?, [""; 0]);
    Ok(())
}

/// The stop cannot even begin on the workers; the socket is given back all the same.
#[test]
fn a_host_that_is_cut_short_gives_its_socket_back() -> Result {
    let dir = TempDir::new()?;
    let program = Program::new(SUBJECT).runtime_dir(dir.path());
    let subject = Subject::start_by(program, "served/blocked@", &["--budget", "300"])?;
    subject.says("blocking")?;
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(75));
    assert_eq!(files_in(dir.path())?, [""; 0]);
    Ok(())
}

#[test]
fn an_error_of_a_command_is_read_by_any_client() -> Result {
    let served = Served::start("calm")?;
    let mut connection = served.connect()?;
    let error = connection.call::<_, ()>(&serde_json::json!({"command": "room.fails"})).unwrap_err();
    let failure = error.failure().ok_or("the server answers")?;
    assert_eq!(
        serde_json::to_value(failure)?,
        serde_json::json!({
            "message": "the command failed: the room is closed",
            "code": "command_failed",
            "tag": "CallError",
            "data": {"error": {"message": "the room is closed"}}
        })
    );
    served.subject.signal(Signal::TERM)?;
    assert_eq!(served.subject.ends()?.code, Some(0));
    Ok(())
}

/// What keeps the socket from being made ends the host before its work begins to matter, and is told with what to do.
#[test]
fn a_place_where_no_socket_can_be_is_told_of() -> Result {
    let dir = TempDir::new()?;
    let taken = dir.path().join("taken.sock");
    std::fs::create_dir(&taken)?;
    let long = dir.path().join("x".repeat(200));
    for (path, says) in [(&taken, "is in the place of the socket"), (&long, "is too long for a socket")] {
        let subject = Subject::start(&format!("served/calm@{}", path.display()), &[])?;
        let ended = subject.ends()?;
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(ended.err.contains("ipc") && ended.err.contains(says), "{ended:#?}");
    }
    assert!(taken.is_dir(), "what is there is left alone");
    Ok(())
}
