//! What a service manager sees of a program: it starts it, passes a signal on for each line of standard input, waits for its end, and
//! says how that looks from outside.
//!
//! `supervisor PROGRAM [ARGUMENT]...`

#![cfg(unix)]
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "what it says is what its tests wait for")]

use std::io::{self, BufRead};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

fn main() -> io::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let program = args.next().ok_or_else(|| io::Error::other("which program?"))?;
    let mut child = Command::new(program).args(args).stdin(std::process::Stdio::null()).spawn()?;
    let pid = Pid::from_child(&child);
    std::thread::spawn(move || {
        // The child is not waited for before its end, so its pid stays its own.
        for _ in io::stdin().lock().lines().map_while(Result::ok) {
            let _ = kill_process(pid, Signal::TERM); // it may have ended
        }
    });
    let status = child.wait()?;
    match (status.code(), status.signal()) {
        (Some(code), _) => println!("exited with {code}"),
        (_, signal) => println!("killed by signal {signal:?}"),
    }
    Ok(())
}
