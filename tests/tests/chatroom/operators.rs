//! The program as its operators see it: through `daemonctl`, and over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::program::{Target, built};
use tests::{Program, Running, Source};

use crate::run::{DAEMONS, PATIENCE, Place};

/// A running program, with the ways in that operators have.
pub(crate) struct Operated {
    pub(crate) running: Running,
    /// Where the directory of its instance is.
    runtime: PathBuf,
    port: u16,
    /// Where `daemonctl` is: built before the program starts, whose time it would take.
    daemonctl: PathBuf,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Operated {
    /// Starts a place's program with a status page, and waits until all of it runs.
    pub(crate) fn start(place: &Place, program: Program) -> Self {
        let daemonctl = built("daemon-cli", Target::Bin("daemonctl")).unwrap();
        let runtime = place.path("run");
        let running = program.runtime_dir(&runtime).args(["--http", "0"]).start().unwrap();
        let says_where = |line: &str| line.contains("the status page is at http://127.0.0.1:");
        let line = running.wait_for_line(Source::Stderr, PATIENCE, says_where).unwrap();
        running.wait_for_line(Source::Stderr, PATIENCE, |line| line.starts_with("chatroom started: ")).unwrap();
        let port = line.trim_end().trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
        Self { running, runtime, port, daemonctl }
    }

    /// `daemonctl chatroom` with these arguments.
    pub(crate) fn daemonctl(&self, arguments: &[&str]) -> Running {
        let program = Program::new(&self.daemonctl);
        program.runtime_dir(&self.runtime).args(["chatroom"]).args(arguments).start().unwrap()
    }

    /// What `daemonctl chatroom` says to these arguments.
    pub(crate) fn control(&self, arguments: &[&str]) -> String {
        let mut asked = self.daemonctl(arguments);
        let ended = asked.wait(PATIENCE).unwrap();
        let said = asked.text(Source::Stdout);
        assert!(ended.success(), "{arguments:?}: {said}{}", asked.text(Source::Stderr));
        said
    }

    /// As [`control`](Self::control), as a script reads it.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.control(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// What its checks say once all is well. One that was asked before its daemon ran is asked again a second later.
    fn becomes_healthy(&self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let health = self.json(&["health"]);
            if health["verdict"] == "healthy" || Instant::now() >= deadline {
                return health;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The socket of its commands.
    pub(crate) fn socket(&self) -> PathBuf {
        self.runtime.join("chatroom/daemon.sock")
    }

    /// What it answers over HTTP; an error when it has gone.
    pub(crate) fn get(&self, path: &str) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Answer { status: status.unwrap_or_else(|| panic!("no status in {head:?}")), body: body.to_owned() })
    }
}

#[test]
fn operators_see_and_steer_it() {
    let place = Place::with_files(3);
    let mut chatroom = Operated::start(&place, place.program());
    place.wait_for_rows("SELECT 1 FROM code_index", 3);

    let status = chatroom.control(&["status"]);
    assert!(status.starts_with("chatroom is running: PID ") && status.contains("17 daemons"), "{status}");
    let daemons = chatroom.json(&["daemons"]);
    let names = daemons.as_array().unwrap().iter().map(|daemon| daemon["name"].as_str().unwrap());
    let mut names: Vec<_> = names.filter(|name| *name != "http").collect();
    names.sort_unstable();
    assert_eq!(names, DAEMONS);
    assert_eq!(chatroom.json(&["call", "data.count"])["code_index"], 3);
    let health = chatroom.becomes_healthy();
    assert_eq!(health["verdict"], "healthy", "{health}");
    assert_eq!(chatroom.json(&["schedule", "pause", "user.user-monitoring"])["state"], "paused");

    let mut events = chatroom.daemonctl(&["events", "data:chat_messages:*", "-n", "1", "--json"]);
    // Nothing tells when the subscription is there.
    while events.wait(Duration::from_millis(20)).is_err() {
        chatroom.running.write(b"attic: is somebody there?\n").unwrap();
    }
    let event: Value = serde_json::from_str(&events.text(Source::Stdout)).unwrap();
    assert_eq!(event["payload"]["room"], "attic");

    assert_eq!(chatroom.get("/readyz").unwrap().status, 200);
    assert!(chatroom.get("/metrics").unwrap().body.contains("daemon_state{daemon=\"data\",state=\"running\"} 1\n"));
    assert!(chatroom.get("/health").unwrap().body.contains("\"data.accepts_writes\""));

    chatroom.control(&["stop"]);
    assert_eq!(chatroom.running.wait(PATIENCE).unwrap().code(), Some(0));
    assert_eq!(
        std::fs::read_dir(chatroom.runtime.join("chatroom")).unwrap().count(),
        0,
        "neither socket nor lock is left"
    );
}
