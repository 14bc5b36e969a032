//! A program under test: a host of the kind that its first argument names.
//!
//! `subject KIND [--report FILE] [--lock FILE] [--pid-file FILE] [--budget MILLISECONDS] [--start-budget MILLISECONDS] [--start-timeout MILLISECONDS]
//! [--blocked-after MILLISECONDS|off] [--settled WORD] [--quiet yes]`

#![cfg(unix)]
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it says is what its tests wait for")]

mod blocked;
mod calm;
mod crowd;
mod embedded;
mod faulty;
mod late;
mod process;
mod served;
mod steps;
mod stuck;

use std::process::ExitCode;
use std::time::Duration;

use daemon_core::{BoxError, Host, Result};

/// Long enough that only the host can end it.
const FOR_EVER: Duration = Duration::from_secs(3_600);

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("subject: {error}");
        ExitCode::from(2)
    })
}

fn run() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let kind = args.next().ok_or("which kind?")?;
    let host = options(Host::new("subject"), args)?;
    let host = match kind.split_once('/') {
        None if kind == "crowd" => crowd::of(host),
        Some(("blocked", which)) => blocked::of(host, which)?,
        Some(("calm", which)) => calm::of(host, which)?,
        Some(("embedded", which)) => return embedded::run(host, which),
        Some(("faulty", which)) => faulty::of(host, which)?,
        Some(("late", which)) => late::of(host, which)?,
        Some(("process", which)) => return process::run(which),
        Some(("served", which)) => served::of(host, which)?,
        Some(("steps", last)) => steps::of(host, last)?,
        Some(("stuck", which)) => stuck::of(host, which)?,
        _ => return Err(unknown(&kind)),
    };
    let code = host.run();
    if std::env::var_os("SUBJECT_GOES_ON").is_some() {
        println!("goes on");
    }
    Ok(code)
}

fn options(mut host: Host, mut args: impl Iterator<Item = String>) -> Result<Host> {
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(|| format!("{option} needs a value"))?;
        host = match option.as_str() {
            "--quiet" if value == "yes" => host.quiet(),
            "--report" => host.report_file(value),
            "--lock" => host.with_lock_path(value),
            "--pid-file" => host.with_pid_file(value),
            "--settled" => host.on_settled(move |settled| {
                if value == "slowly" {
                    std::thread::sleep(Duration::from_millis(300));
                }
                assert!(value != "panics", "in on_settled");
                println!("{value}: {}", serde_json::to_string(settled).unwrap_or_default());
            }),
            "--budget" => host.stop_budget(Duration::from_millis(value.parse()?)),
            "--blocked-after" if value == "off" => host.warn_blocked_after(None),
            "--blocked-after" => host.warn_blocked_after(Duration::from_millis(value.parse()?)),
            "--start-budget" => host.start_budget(Duration::from_millis(value.parse()?)),
            "--start-timeout" => host.start_timeout(Duration::from_millis(value.parse()?)),
            _ => return Err(unknown(&option)),
        };
    }
    Ok(host)
}

fn unknown(what: &str) -> BoxError {
    format!("unknown: {what}").into()
}
