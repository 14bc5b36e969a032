//! Hosts in which user code blocks its thread for as long as nobody writes a line to standard input.

use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};

use super::{FOR_EVER, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "handler" => host.workers(2).daemon(InHandler).daemon(Onlooker),
        "only-worker" => host.workers(1).daemon(InHandler),
        "unknown" => host.workers(2).daemon(Elsewhere).daemon(Onlooker),
        "start" => host.workers(1).daemon(InStart),
        _ => return Err(unknown(which)),
    })
}

/// Blocks until there is a line.
fn block() {
    println!("blocking");
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    println!("unblocked: {}", read.is_ok());
}

#[derive(Event)]
#[event("blocked:asked", local)]
struct Asked;

#[daemon(name = "in-handler")]
struct InHandler;

#[daemon]
impl InHandler {
    #[on_event]
    async fn asked(&self, _event: &Asked) {
        block();
    }

    #[deferred("1ms")]
    async fn ask(&self, cx: &Context) -> Result<()> {
        Ok(cx.publish(Asked).await?)
    }
}

impl DaemonBase for InHandler {}

/// Says what it sees blocked in its host.
#[daemon(name = "onlooker")]
struct Onlooker;

#[daemon]
impl Onlooker {
    #[every("20ms")]
    fn look(&self, cx: &Context) {
        for blocked in cx.host().status().blocked {
            println!("sees {}: {} ({})", blocked.daemon, blocked.work, blocked.kind);
        }
    }
}

impl DaemonBase for Onlooker {}

/// Blocks a worker behind the back of its host.
#[daemon(name = "elsewhere", no_handlers)]
struct Elsewhere;

impl DaemonBase for Elsewhere {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        drop(tokio::spawn(async { block() }));
        Ok(())
    }
}

#[daemon(name = "in-start", no_handlers)]
struct InStart;

impl DaemonBase for InStart {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("blocking");
        std::thread::sleep(FOR_EVER);
        Ok(())
    }
}
