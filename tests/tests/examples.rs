//! The examples run, end, and say what their headers show.

#![cfg(unix)]

use std::time::Duration;

use tests::program::{Target, built};
use tests::{Program, Running, Signal, Source};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const SOON: Duration = Duration::from_secs(30);

fn start(name: &'static str) -> Result<Running> {
    let path = built("examples", Target::Example(name))?;
    Ok(Program::new(path).env("RUST_BACKTRACE", "0").start()?)
}

/// Runs an example to its own end, and returns the lines of its standard output. Those that its header does not show
/// are a fault, but for those that begin with one of `vary`.
fn lines_of(name: &'static str, vary: &[&str]) -> Result<Vec<String>> {
    let mut running = start(name)?;
    let status = running.wait(SOON)?;
    let (out, err) = (running.text(Source::Stdout), running.text(Source::Stderr));
    assert_eq!(status.code(), Some(0), "{name}: {out}\n{err}");
    let source = source(name)?;
    let lines: Vec<_> = out.lines().map(str::to_owned).collect();
    for line in lines.iter().filter(|line| !vary.iter().any(|start| line.starts_with(start))) {
        let shown = source.lines().any(|shown| shown.strip_prefix("//! ") == Some(line));
        assert!(shown, "the header of {name} does not show {line:?}; it says\n{out}");
    }
    Ok(lines)
}

fn source(name: &str) -> Result<String> {
    let path = format!("{}/../examples/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    Ok(std::fs::read_to_string(path)?)
}

fn count(lines: &[String], line: &str) -> usize {
    lines.iter().filter(|other| other.trim() == line).count()
}

#[test]
fn the_readme_shows_the_heartbeat_itself() -> Result {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"))?;
    let (_, from) = readme.split_once("```rust").ok_or("no Rust in the README")?;
    let (_, from) = from.split_once('\n').ok_or("the block has no lines")?;
    let (block, _) = from.split_once("```").ok_or("the block does not end")?;
    let source = source("01-heartbeat")?;
    let body: Vec<_> = source.lines().skip_while(|line| line.starts_with("//!") || line.is_empty()).collect();
    assert_eq!(block.lines().collect::<Vec<_>>(), body);
    Ok(())
}

#[test]
fn a_heartbeat_beats_until_it_is_interrupted() -> Result {
    let mut running = start("01-heartbeat")?;
    let mut beats = 0;
    running.wait_for_line(Source::Stdout, SOON, |line| {
        beats += usize::from(line == "still here");
        beats == 2
    })?;
    running.signal(Signal::INT)?;
    assert_eq!(running.wait(SOON)?.code(), Some(0));
    running.wait_for_line(Source::Stderr, SOON, |line| line.contains("SIGINT") && line.ends_with("exit code 0"))?;
    Ok(())
}

#[test]
fn events_arrive_in_order_and_a_full_queue_drops_its_oldest() -> Result {
    let lines = lines_of("02-events", &["archive:"])?; // how many are dropped depends on who is quicker
    let of = |start: &str| lines.iter().filter(|line| line.starts_with(start)).cloned().collect::<Vec<_>>();
    let degrees: Vec<_> = of("display: 2");
    assert_eq!(degrees, ["20", "20.5", "21", "21.5", "22"].map(|degrees| format!("display: {degrees} degrees")));
    assert_eq!(of("display: sensor:").len(), 6);
    let archived = of("archive: ");
    assert!(archived.len() >= 2 && archived.last().is_some_and(|last| last == "archive: 22 degrees"), "{lines:?}");
    Ok(())
}

#[test]
fn intervals_tick_time_out_and_are_cleared() -> Result {
    let lines = lines_of("03-intervals", &[])?;
    assert!(count(&lines, "tick") >= 2 && count(&lines, "tock, more or less") >= 1, "{lines:?}");
    assert!(count(&lines, "slow begins") >= 1 && count(&lines, "slow ends") == 0, "{lines:?}");
    assert_eq!((count(&lines, "there is a drum: true"), count(&lines, "there is a drum: false")), (1, 1));
    let cleared = lines.iter().position(|line| line.ends_with("true"));
    assert!(lines.iter().rposition(|line| line.trim() == "drum") < cleared, "{lines:?}");
    Ok(())
}

#[test]
fn readiness_is_waited_for_or_reacted_to() -> Result {
    let lines = lines_of("04-readiness", &[])?;
    let at = |line: &str| lines.iter().position(|other| other == line).ok_or_else(|| format!("no {line}: {lines:?}"));
    let open = at("store: open")?;
    assert!(at("audit: waits for nobody")? < open);
    assert!(open < at("api: the store is open, going on without a cache")? && open < at("audit: the store is ready")?);
    assert_eq!(lines.last().map(String::as_str), Some("api: warm"));
    Ok(())
}

#[test]
fn things_end_in_reverse() -> Result {
    let order = [
        "web: visit 1",
        "web: visit 2",
        "web: visit 3",
        "web: no longer listening",
        "web: cleaning up",
        "web: too late, unsubscribed at once",
        "web: refused, daemon `web` is stopping",
        "web: unsubscribed",
        "database: closed, now that nobody needs it",
    ];
    assert_eq!(lines_of("05-cleanup", &[])?, order);
    Ok(())
}

#[test]
fn a_daemon_by_hand_behaves_like_its_annotated_twin() -> Result {
    let lines = lines_of("06-by-hand", &[])?;
    let of = |twin: &str| {
        let mut lines: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix(twin)).collect();
        assert_eq!(lines.iter().filter(|line| **line == ": pinged by a twin").count(), 2, "{twin}: {lines:?}");
        lines.dedup(); // how many ticks come between is the machine's affair
        lines
    };
    assert_eq!(of("annotated"), of("by-hand"));
    assert_eq!(of("by-hand"), [": tick", ": pinged by a twin", ": tick"]);
    Ok(())
}

#[test]
fn a_day_is_tested_in_no_time() -> Result {
    assert_eq!(lines_of("07-testing", &[])?.len(), 2);
    Ok(())
}

#[test]
fn a_subscription_is_read_to_its_end_or_given_up() -> Result {
    let lines = lines_of("ipc_events", &[])?;
    let of = |who: &str| lines.iter().filter_map(|line| line.strip_prefix(who)).collect::<Vec<_>>();
    assert_eq!(
        of("all: "),
        ["20 degrees", "21 degrees", "22 degrees", "the thermometer is gone: the server is shutting down"]
    );
    assert_eq!(of("two: "), ["20 degrees", "21 degrees", "that is enough"]);
    assert_eq!(lines.last().map(String::as_str), Some("everybody: the thermometer closes"));
    Ok(())
}

#[test]
fn an_echo_server_answers_and_leaves_no_socket() -> Result {
    let dir = tests::TempDir::new()?;
    let path = dir.path().join("echo.sock");
    let mut server = Program::new(built("examples", Target::Example("ipc_echo_server"))?).args([&path]).start()?;
    server.wait_for_line(Source::Stdout, SOON, |line| line.starts_with("listening on "))?;
    for (count, in_flight, bytes) in [("10", "1", "0"), ("1000", "64", "64"), ("5", "2", "1000000")] {
        let client = Program::new(built("examples", Target::Example("ipc_echo_client"))?);
        let arguments = [path.as_os_str(), count.as_ref(), in_flight.as_ref(), bytes.as_ref()];
        let mut client = client.args(arguments).start()?;
        let status = client.wait(SOON)?;
        assert_eq!(status.code(), Some(0), "{}", client.text(Source::Stderr));
        assert!(
            client.text(Source::Stdout).starts_with(&format!("{count} answers of {bytes} bytes, {in_flight} at once"))
        );
    }
    assert!(path.exists());
    server.signal(Signal::TERM)?;
    assert_eq!(server.wait(SOON)?.code(), Some(0));
    assert_eq!(std::fs::read_dir(dir.path())?.count(), 0, "neither the socket nor its lock is left");

    let mut client = Program::new(built("examples", Target::Example("ipc_echo_client"))?)
        .args([path.to_str().ok_or("no text")?, "1", "1", "1"])
        .start()?;
    assert_eq!(client.wait(SOON)?.code(), Some(1));
    assert!(client.text(Source::Stderr).contains("is the daemon running?"), "{}", client.text(Source::Stderr));
    Ok(())
}

/// Runs an example with its instance's files in `dir`; returns its code and what it says.
fn run_in(dir: &tests::TempDir, example: &'static str, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let program = Program::new(built("examples", Target::Example(example))?).runtime_dir(dir.path());
    let mut running = program.args(arguments).start()?;
    let code = running.wait(SOON)?.code();
    Ok((code, running.text(Source::Stdout) + &running.text(Source::Stderr)))
}

#[test]
fn a_command_is_called_from_another_process() -> Result {
    let dir = tests::TempDir::new()?;
    let (code, said) = run_in(&dir, "ipc_commands", &["ask", "divide", "1", "1"])?;
    assert_eq!(code, Some(1));
    assert!(said.starts_with("the call did not get through\n  cannot connect to"), "{said}");
    let program = Program::new(built("examples", Target::Example("ipc_commands"))?).runtime_dir(dir.path());
    let mut server = program.args(["serve"]).start()?;
    server.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("calculator started"))?;
    assert_eq!(run_in(&dir, "ipc_commands", &["ask", "divide", "84", "2"])?, (Some(0), "42\n".to_owned()));
    let (code, said) = run_in(&dir, "ipc_commands", &["ask", "divide", "1", "0"])?;
    assert_eq!((code, &*said), (Some(1), "the command failed: cannot divide by zero\n"));
    assert_eq!(run_in(&dir, "ipc_commands", &["ask", "close"])?.0, Some(0));
    assert_eq!(server.wait(SOON)?.code(), Some(0));
    assert_eq!(std::fs::read_dir(dir.path().join("calculator"))?.count(), 0);
    Ok(())
}
