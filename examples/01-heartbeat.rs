//! A daemon in ten lines: the one of the README.
//!
//! ```text
//! $ cargo run -p examples --example 01-heartbeat
//! heartbeat started: 1 daemon in 0 ms
//!   wave 1  heartbeat  running      0 ms
//! still here
//! still here
//! still here
//! ^Cheartbeat stopped after 3.4 s: SIGINT; the stop took 1 ms, exit code 0
//!   wave 1  heartbeat  stopped      0 ms
//!   left: 0 subscriptions, 0 intervals, 0 tasks
//! ```

use daemon_core::{DaemonBase, Host, daemon};

#[daemon]
#[derive(Default)]
struct Heartbeat;

#[daemon]
impl Heartbeat {
    #[every("1s")]
    fn beat(&self) {
        println!("still here");
    }
}

impl DaemonBase for Heartbeat {}

fn main() -> std::process::ExitCode {
    Host::new("heartbeat").daemon(Heartbeat).run()
}
