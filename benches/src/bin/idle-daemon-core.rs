//! A daemon that does nothing, with the default features.

use std::process::ExitCode;

use daemon_core::{Context, DaemonBase, Host, Result, daemon};

#[daemon(no_handlers)]
struct Hello;

impl DaemonBase for Hello {
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        benches::ready();
        Ok(())
    }
}

fn main() -> ExitCode {
    Host::new("hello").daemon(Hello).workers(1).run()
}
