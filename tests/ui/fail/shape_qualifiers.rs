use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[task(finite)]
    unsafe fn a(&self) {}

    #[task(finite)]
    extern "C" fn b(&self) {}

    #[task(finite)]
    const fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
