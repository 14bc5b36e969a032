//! A program that its operators start in the background, ask and stop: `heartbeat start`, `heartbeat status`, `heartbeat stop`.
//!
//! Each second it writes a line to the file that `HEARTBEAT_FILE` names, if it names one.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::ExitCode;

use daemon_core::{DaemonBase, Host, Result, daemon};

#[daemon]
struct Heartbeat {
    file: Option<File>,
}

#[daemon]
impl Heartbeat {
    #[every("1s", immediately)]
    fn beat(&self) -> Result<()> {
        tracing::info!("beats");
        if let Some(mut file) = self.file.as_ref() {
            writeln!(file, "beat")?;
        }
        Ok(())
    }
}

impl DaemonBase for Heartbeat {}

impl Heartbeat {
    fn open() -> Result<Self> {
        let open = |path| OpenOptions::new().append(true).create(true).open(path);
        Ok(Self { file: std::env::var_os("HEARTBEAT_FILE").map(open).transpose()? })
    }
}

fn main() -> ExitCode {
    daemon_cli::main(Host::new("heartbeat").daemon_with(Heartbeat::open))
}
