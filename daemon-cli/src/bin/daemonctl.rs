//! Asks a daemon that runs on this machine: `daemonctl NAME status`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    daemon_cli::daemonctl()
}
