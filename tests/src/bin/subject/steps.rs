//! Daemons that count every step of their start and their stop, and send the signal to stop to their own process at one of them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daemon_core::{BoxError, Context, DaemonBase, Event, Host, Result, daemon};
use rustix::process::{Signal, getpid, kill_process};

static STEPS: AtomicUsize = AtomicUsize::new(0);
/// The step at which to stop.
static LAST: OnceLock<usize> = OnceLock::new();

pub(crate) fn of(host: Host, last: &str) -> Result<Host> {
    LAST.get_or_init(|| last.parse().unwrap_or(usize::MAX));
    Ok(host
        .daemon_with(|| {
            step("make");
            Ok::<_, BoxError>(Base(Gone))
        })
        .daemon(Middle(Gone))
        .daemon(Top(Gone)))
}

/// One more step: says so, and stops the process if it is that one.
fn step(name: &str) {
    let number = STEPS.fetch_add(1, Ordering::SeqCst);
    println!("step {number}: {name}");
    if LAST.get() == Some(&number) {
        stop();
    }
}

fn stop() {
    if let Err(error) = kill_process(getpid(), Signal::TERM) {
        eprintln!("subject: {error}");
    }
}

/// Counts the destructor of a daemon's value.
struct Gone;
impl Drop for Gone {
    fn drop(&mut self) {
        step("dropped");
    }
}

#[derive(Event)]
#[event("steps:up", local)]
struct Up;

macro_rules! member {
    ($name:ident, $($declared:tt)+) => {
        #[daemon($($declared)+)]
        struct $name(Gone);

        #[daemon]
        impl $name {
            #[on_event]
            async fn up(&self, _event: &Up) {
                step("event");
            }

            #[every("1h", immediately)]
            async fn tick(&self, cx: &Context) -> Result<()> {
                step("tick");
                Ok(cx.publish(Up).await?)
            }

            #[deferred("1ms")]
            async fn late(&self) {
                step("deferred");
            }

            #[task]
            async fn wait(&self, cx: &Context) {
                step("task");
                cx.cancelled().await;
                step("cancelled");
            }
        }

        impl DaemonBase for $name {
            async fn initialize(&self, cx: &Context) -> Result<()> {
                step("initialize");
                cx.register_subscription(|| step("unsubscribed"))?;
                tokio::time::sleep(Duration::from_millis(1)).await;
                step("initialized");
                Ok(())
            }

            async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
                step("initialize_deferred");
                Ok(())
            }

            async fn cleanup(&self, _cx: &Context) -> Result<()> {
                step("cleanup");
                tokio::task::yield_now().await;
                step("cleaned up");
                Ok(())
            }
        }
    };
}

member!(Base, name = "base");
member!(Middle, name = "middle", requires(Base));

/// The last to start; ends a run that no step ended.
#[daemon(name = "top", requires(Middle), wants(Base))]
struct Top(Gone);

#[daemon]
impl Top {
    #[on_ready(Top)]
    fn ready(&self) {
        step("ready");
    }

    #[deferred("20ms")]
    fn enough(&self) {
        stop();
    }
}

impl DaemonBase for Top {}
