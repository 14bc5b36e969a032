use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[task]
    unsafe fn a(&self) {}

    #[task]
    extern "C" fn b(&self) {}

    #[task]
    const fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
