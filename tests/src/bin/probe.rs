//! A program for the tests of the support itself: says it is there, echoes its input in upper case, and can refuse to end.
//!
//! `probe [--exit CODE] [--deaf]`: ends with CODE at the end of its input; with `--deaf`, never.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

use std::{env, io, process::ExitCode, thread};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let code = args.iter().skip_while(|arg| *arg != "--exit").nth(1).and_then(|code| code.parse().ok());
    eprintln!("ready in {}", env::var("PROBE_PLACE").unwrap_or_default());
    for line in io::stdin().lines().map_while(Result::ok) {
        println!("{}", line.to_uppercase());
    }
    while args.iter().any(|arg| arg == "--deaf") {
        thread::park();
    }
    print!("bye");
    ExitCode::from(code.unwrap_or(0))
}
