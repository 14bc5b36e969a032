//! One run of the program in a directory of its own, and what it leaves behind: the report and the database.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use tests::program::{Target, built};
use tests::{Program, Running, Source, TempDir};

/// More than any run takes on a busy machine: the default stop budget of 25 s is inside it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Every daemon, by name.
pub(crate) const DAEMONS: [&str; 16] = [
    "code",
    "command",
    "console",
    "control",
    "data",
    "events",
    "health",
    "ipc",
    "lease",
    "monitor",
    "proxy",
    "room-membership",
    "session",
    "training",
    "user",
    "widget",
];

/// A directory with a source tree to watch and room for what a run writes.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    /// A place whose tree has this many files.
    pub(crate) fn with_files(files: usize) -> Self {
        let dir = TempDir::new().unwrap();
        for number in 0..files {
            let folder = dir.path().join(format!("tree/part-{}", number / 100));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("file-{number}.rs")), format!("// {number}\n")).unwrap();
        }
        std::fs::create_dir_all(dir.path().join("tree")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with its tree, database and report in this place.
    pub(crate) fn program(&self) -> Program {
        self.program_on(&self.path("chat.db"))
    }

    /// As [`program`](Self::program), on another database.
    pub(crate) fn program_on(&self, database: &Path) -> Program {
        Program::new(binary())
            .current_dir(self.dir.path())
            .args(["--watch", "tree", "--report", "report.json"])
            .args(["--db".as_ref(), database.as_os_str()])
    }

    pub(crate) fn report(&self) -> Report {
        let text = std::fs::read_to_string(self.path("report.json")).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// The first column of every row of a query.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let database = Connection::open_with_flags(self.path("chat.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut statement = database.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.rows("SELECT text FROM chat_messages ORDER BY rowid")
    }

    /// Waits until a query has this many rows; the program may still run.
    pub(crate) fn wait_for_rows(&self, sql: &str, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.path("chat.db").metadata().is_err() || !self.has_rows(sql, count) {
            assert!(Instant::now() < deadline, "never {count} rows of {sql}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_rows(&self, sql: &str, count: usize) -> bool {
        let found = || {
            let database = Connection::open_with_flags(self.path("chat.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            database.query_row(&format!("SELECT count(*) FROM ({sql})"), [], |row| row.get::<_, u32>(0))
        };
        // The file may be there before its tables are.
        found().is_ok_and(|found| found as usize == count)
    }
}

pub(crate) fn binary() -> PathBuf {
    built("chatroom", Target::Bin("chatroom")).unwrap()
}

/// Waits until the program catches SIGTERM, so that a signal meets the program and not the system's default.
pub(crate) fn wait_until_it_listens(running: &Running) {
    let deadline = Instant::now() + PATIENCE;
    let status = format!("/proc/{}/status", running.pid().as_raw_nonzero());
    let sigterm = 1_u64 << (15 - 1);
    let catches = || {
        let status = std::fs::read_to_string(&status).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        Some(u64::from_str_radix(caught.trim(), 16).ok()? & sigterm != 0)
    };
    while catches() != Some(true) {
        assert!(Instant::now() < deadline, "it never catches SIGTERM: {}", running.text(Source::Stderr));
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) exit_code: i32,
    pub(crate) uptime_ms: u64,
    pub(crate) daemons: Vec<DaemonRow>,
    pub(crate) left: Left,
    pub(crate) events: Vec<EventRow>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DaemonRow {
    pub(crate) name: String,
    pub(crate) wave: u32,
    pub(crate) requires: Vec<String>,
    pub(crate) state: String,
    pub(crate) restarts: u64,
    pub(crate) started_ms: Option<u64>,
    pub(crate) stopped_ms: Option<u64>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) subscriptions: u64,
    pub(crate) intervals: u64,
    pub(crate) tasks: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EventRow {
    pub(crate) subscription: String,
    pub(crate) offered: u64,
    pub(crate) handled: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
    pub(crate) abandoned: u64,
}

impl Report {
    /// What every report must say, however the run ended.
    pub(crate) fn check(&self) {
        assert_eq!(self.left, Left { subscriptions: 0, intervals: 0, tasks: 0 });
        for row in &self.events {
            let accounted = row.handled + row.failed + row.dropped + row.abandoned;
            assert_eq!(row.offered, accounted, "{row:?}");
        }
        let mut names: Vec<_> = self.daemons.iter().map(|daemon| daemon.name.as_str()).collect();
        names.retain(|name| !["chaos", "http"].contains(name)); // there only when asked for
        names.sort_unstable();
        assert_eq!(names, DAEMONS);
    }

    /// What the report of a run that went well says beside.
    pub(crate) fn check_clean(&self) {
        self.check();
        assert_eq!(self.exit_code, 0, "{self:#?}");
        for row in &self.events {
            assert_eq!((row.failed, row.dropped), (0, 0), "{row:?}");
        }
        for daemon in &self.daemons {
            assert_eq!(daemon.state, "stopped", "{daemon:?}");
        }
    }

    pub(crate) fn daemon(&self, name: &str) -> &DaemonRow {
        self.daemons.iter().find(|daemon| daemon.name == name).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }
}
