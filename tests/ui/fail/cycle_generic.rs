use daemon_core::daemon;

#[daemon(name = "a", requires(Log), no_handlers)]
struct A<T: Send + Sync + 'static>(T);

#[daemon(name = "log", requires(A<u8>), no_handlers)]
struct Log;

fn main() {}
