//! A storm of input and of changed files, and chaos, for as long as `SECONDS` says, looked at from outside all the while: `make storm`.
//!
//! Of each look: what the host says of its readiness is what its daemons' states come to, checks keep to their thresholds, and every
//! event that was offered is accounted for. Over all looks nothing grows.

use std::collections::BTreeMap;
use std::io::{PipeWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daemon_ipc::blocking::Connection;
use serde_json::{Value, json};
use tests::Source;

use crate::growth::{ALLOCATOR, Growth};
use crate::operators::Operated;
use crate::run::{PATIENCE, Place};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// How many lines come at once, and how often: more than the program calls a storm.
const LINES: usize = 30;
const BURST: Duration = Duration::from_millis(100);
const FILES: usize = 100;
/// After how many failures in a row a check is unhealthy, of those that do not say one.
const FAILS: u64 = 3;

fn lasts() -> u64 {
    std::env::var("SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(20)
}

#[test]
fn under_storm_and_chaos_every_answer_is_true_every_count_exact_and_nothing_grows() {
    let (seconds, place) = (lasts(), Place::with_files(FILES));
    let (read, write) = std::io::pipe().unwrap();
    let program = place.program().stdin(read.into()).env("RUST_BACKTRACE", "0");
    let program = ALLOCATOR.into_iter().fold(program, |program, (name, value)| program.env(name, value));
    let program = program.args(["--chaos", "--seed", "7", "--for", &format!("{seconds}s")]);
    let mut chatroom = Operated::start(&place, program);
    let over = AtomicBool::new(false);
    let (seen, sent) = std::thread::scope(|scope| {
        let storm = scope.spawn(|| storm(write, &place, &over));
        let _over = SetOnDrop(&over); // also when a look fails
        let seen = watch(&mut chatroom);
        drop(_over);
        (seen, storm.join().unwrap())
    });
    let said = chatroom.running.text(Source::Stderr);
    assert_eq!(chatroom.running.wait(PATIENCE).unwrap().code(), Some(0), "{said}");
    assert!(said.contains("every daemon runs"), "{said}");
    let report = place.report();
    eprintln!("{}", seen.summary(sent, &report));
    report.check();
    let stored = place.messages();
    let is_own = |text: &String| text.starts_with("storm ");
    let own: Vec<_> = stored.iter().filter(|text| is_own(text)).collect();
    assert!(!own.is_empty() && own.len() <= sent, "{} of {sent} lines are stored", own.len());
    assert!(
        own.iter().enumerate().all(|(at, text)| **text == format!("storm {at}")),
        "a line is missing or twice there"
    );
    seen.growth.check_flat(seconds);
    assert!(seen.ready > 0 && seen.not_ready > 0, "too little was seen");
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Writes lines and changes files until it is over, or nobody reads any more; gives how many lines were written.
fn storm(mut input: PipeWriter, place: &Place, over: &AtomicBool) -> usize {
    let (mut sent, mut bursts) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        let lines: String = (sent..sent + LINES).map(|number| format!("general: storm {number}\n")).collect();
        if input.write_all(lines.as_bytes()).is_err() {
            break;
        }
        (sent, bursts) = (sent + LINES, bursts + 1);
        let number = bursts % FILES;
        let path = place.path(&format!("tree/part-{}/file-{number}.rs", number / 100));
        std::fs::write(path, "x".repeat(bursts % 1_000)).unwrap();
        std::thread::park_timeout(BURST);
    }
    sent
}

/// What was seen of the program.
#[derive(Default)]
struct Seen {
    growth: Growth,
    /// How often readiness said yes and no, and how often a life changed under the look.
    ready: u64,
    not_ready: u64,
    between: u64,
    /// What each subscription was offered, the last time.
    offered: BTreeMap<String, u64>,
    /// How often each check was not healthy.
    complaints: BTreeMap<String, u64>,
    operators: u64,
}

/// Looks at the program until it has ended.
fn watch(chatroom: &mut Operated) -> Seen {
    let mut seen = Seen::default();
    let mut control = Connection::connect(chatroom.socket()).unwrap();
    let mut next = Instant::now();
    while look(chatroom, &mut control, &mut seen).is_some() {
        next = (next + LOOK).max(Instant::now());
        chatroom.running.wait(next.saturating_duration_since(Instant::now())).ok(); // it may end meanwhile
    }
    seen
}

/// One look; `None` if the program has gone, or goes.
fn look(chatroom: &mut Operated, control: &mut Connection, seen: &mut Seen) -> Option<()> {
    let before = journal(control)?;
    let (live, ready) = (chatroom.get("/livez").ok()?, chatroom.get("/readyz?verbose").ok()?);
    let status: Value = serde_json::from_str(&chatroom.get("/status.json").ok()?.body).unwrap();
    let health: Value = serde_json::from_str(&chatroom.get("/health").ok()?.body).unwrap();
    let figures = chatroom.get("/metrics").ok()?;
    let after = journal(control)?;
    if status["state"] == "stopping"
        || after.last().is_some_and(|last| last["daemon"].is_null() && last["state"] == "stopping")
    {
        return None;
    }
    assert_eq!(live.status, 200, "whatever befalls its daemons, the program is alive: {}", live.body);
    match before == after {
        true => seen.check_readiness(&status, &ready.body),
        false => seen.between += 1,
    }
    seen.check_counts(&status);
    check_figures(&figures.body);
    seen.check_checks(&health);
    seen.growth.look(chatroom.running.pid().as_raw_nonzero().into(), &status, &figures.body)?;
    if seen.growth.looks() % 25 == 1 {
        // It may have gone meanwhile; then its end is waited for, and does not come if that is not why.
        let mut asked = chatroom.daemonctl(&["status"]);
        if !asked.wait(PATIENCE).unwrap().success() {
            return None;
        }
        let said = asked.text(Source::Stdout);
        assert!(said.starts_with("chatroom is running: PID ") || said.starts_with("chatroom is stopping"), "{said}");
        seen.operators += 1;
    }
    Some(())
}

/// The latest changes of state; what did not change between two looks was as it is at every moment between them.
fn journal(control: &mut Connection) -> Option<Vec<Value>> {
    control.call_command("control", "journal", &json!({"last": 50})).ok()
}

impl Seen {
    /// The host is ready if every daemon runs that it requires.
    fn check_readiness(&mut self, status: &Value, ready: &str) {
        let daemons = status["daemons"].as_array().unwrap();
        let down = |daemon: &&Value| daemon["optional"] == false && daemon["state"] != "running";
        let down: Vec<_> = daemons.iter().filter(down).map(|daemon| daemon["name"].as_str().unwrap()).collect();
        let says_yes = ready.contains("[+]host ok\n");
        assert!(says_yes || ready.contains("[-]host failed: "), "{ready}");
        assert_eq!(says_yes, down.is_empty(), "down: {down:?}, and it says\n{ready}");
        assert!(
            says_yes || down.iter().any(|name| ready.contains(name)),
            "down: {down:?}, and none is named in\n{ready}"
        );
        *(if says_yes { &mut self.ready } else { &mut self.not_ready }) += 1;
    }

    /// What was offered is handled, lost by name, or still there; and no count goes back.
    fn check_counts(&mut self, status: &Value) {
        let mut offered = BTreeMap::new();
        for daemon in status["daemons"].as_array().unwrap() {
            for row in daemon["subscriptions"].as_array().unwrap() {
                let count = |name: &str| row[name].as_u64().unwrap_or_else(|| panic!("no {name} in {row}"));
                let parts = ["handled", "failed", "dropped", "abandoned", "queued", "in_flight"];
                assert_eq!(count("offered"), parts.into_iter().map(count).sum::<u64>(), "{row}");
                // Those that are made at run time come and go with their lives.
                if row["name"] != row["topic"] {
                    let name = format!("{}.{}", daemon["name"].as_str().unwrap(), row["name"].as_str().unwrap());
                    *offered.entry(name).or_default() += count("offered");
                }
            }
        }
        for (name, count) in &self.offered {
            assert!(offered.get(name).is_some_and(|now: &u64| now >= count), "{name}: {count}, then {offered:?}");
        }
        self.offered = offered;
    }

    /// A check is unhealthy after as many failures in a row as it declares, and not before.
    fn check_checks(&mut self, health: &Value) {
        for (name, check) in health["checks"].as_object().unwrap() {
            let (status, failures) = (check["status"].as_str().unwrap(), check["failures"].as_u64().unwrap_or(0));
            let soft_at_once = name.starts_with("host.") && name != "host.workers";
            if name != "host" && !soft_at_once {
                assert!(status != "unhealthy" || failures >= FAILS, "{name}: {check}");
                assert!(failures < FAILS || status == "unhealthy" || status == "degraded", "{name}: {check}");
            }
            assert!(!soft_at_once || status != "unhealthy", "{name} only degrades: {check}");
            if status != "healthy" {
                *self.complaints.entry(name.clone()).or_default() += 1;
            }
        }
    }

    fn summary(&self, sent: usize, report: &crate::run::Report) -> String {
        let offered: u64 = report.events.iter().map(|row| row.offered).sum();
        let restarts: u64 = report.daemons.iter().map(|daemon| daemon.restarts).sum();
        format!(
            "storm: {} looks: ready {}, not ready {}, changed meanwhile {}; daemonctl asked {} times; {restarts} restarts; \
             {offered} events offered and accounted for; {sent} lines sent; {}; not healthy: {:?}",
            self.growth.looks(),
            self.ready,
            self.not_ready,
            self.between,
            self.operators,
            self.growth,
            self.complaints
        )
    }
}

/// The figures are of one moment, in which every account is balanced.
fn check_figures(text: &str) {
    let mut accounts: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let Some((name, labels)) = series.split_once('{') else { continue };
        let label = |wanted: &str| {
            let begin = labels.find(&format!("{wanted}=\""))? + wanted.len() + 2;
            Some(&labels[begin..begin + labels[begin..].find('"')?])
        };
        let (Some(daemon), Some(subscription)) = (label("daemon"), label("subscription")) else { continue };
        let value: f64 = value.parse().unwrap();
        let account = accounts.entry(format!("{daemon}.{subscription}")).or_default();
        match name {
            "daemon_events_offered_total" => account.0 += value,
            "daemon_events_total" | "daemon_queue_depth" | "daemon_events_in_flight" => account.1 += value,
            _ => {}
        }
    }
    assert!(accounts.len() > 20, "{text}");
    for (name, (offered, accounted)) in accounts {
        assert_eq!(offered, accounted, "{name} in\n{text}");
    }
}
