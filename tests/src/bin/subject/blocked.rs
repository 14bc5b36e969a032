//! Hosts in which user code blocks its thread for as long as nobody writes a line to standard input.

use std::time::Duration;

use daemon_core::{Context, DaemonBase, Event, Host, Result, State, daemon};

use super::{FOR_EVER, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "handler" => host.workers(2).daemon(InHandler).daemon(Onlooker),
        "only-worker" => host.workers(1).daemon(InHandler),
        "unknown" => host.workers(2).daemon(Elsewhere).daemon(Onlooker),
        "operations" => host.workers(1).daemon(InHandler).daemon(Operator),
        "no-operations" => host.workers(1).daemon(Adder),
        "start" => host.workers(1).daemon(InStart),
        "optional-start" => host.workers(1).daemon(InOptionalStart).daemon(Patient),
        _ => return Err(unknown(which)),
    })
}

/// Blocks until there is a line.
pub(crate) fn block() {
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

    #[health(readiness, timeout = "50ms")]
    fn reachable(&self) -> Result<()> {
        Ok(())
    }

    #[command]
    fn ping(&self) -> Result<()> {
        Ok(())
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

/// Would have to start sooner than it does, but nobody requires it.
#[daemon(name = "in-optional-start", optional, start_timeout = "100ms", no_handlers)]
struct InOptionalStart;

impl DaemonBase for InOptionalStart {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        block();
        Ok(())
    }
}

/// Runs beside the workers, and says so when a start has been waited for longer than any that takes 100 ms.
#[daemon(name = "patient", plane = operations)]
struct Patient;

#[daemon]
impl Patient {
    #[deferred("1500ms")]
    fn say(&self) {
        println!("it was waited for");
    }
}

impl DaemonBase for Patient {}

/// Runs beside the workers, and says what it sees of them.
#[daemon(name = "operator", plane = operations)]
struct Operator;

#[daemon]
impl Operator {
    #[every("50ms")]
    async fn ask(&self, cx: &Context) {
        let host = cx.host();
        for blocked in host.status().blocked {
            println!("operator sees {}: {}", blocked.daemon, blocked.work);
        }
        match InHandler::client(&host).timeout(Duration::from_millis(50)).ping().await {
            Ok(()) => println!("operator hears"),
            Err(error) => println!("operator hears: {error}"),
        }
        for report in host.run_checks().await {
            println!("operator checks {}: {}", report.name, report.failure.as_deref().unwrap_or("well"));
        }
    }
}

impl DaemonBase for Operator {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("operator is on {:?}", std::thread::current().name().unwrap_or_default());
        Ok(())
    }

    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let status = cx.host().status();
        let up = status.daemons.iter().filter(|daemon| !matches!(daemon.state, State::Stopped));
        println!("operator stops last: {:?}", up.map(|daemon| &*daemon.name).collect::<Vec<_>>());
        Ok(())
    }
}

/// Is to be added where nothing of its plane is.
#[daemon(name = "late", plane = operations, no_handlers)]
struct Late;

impl DaemonBase for Late {}

/// Adds it.
#[daemon(name = "adder")]
struct Adder;

#[daemon]
impl Adder {
    #[deferred("1ms")]
    async fn add(&self, cx: &Context) {
        match cx.host().add_daemon(Late).await {
            Ok(()) => println!("late runs"),
            Err(error) => println!("late: {error}"),
        }
        cx.request_shutdown();
    }
}

impl DaemonBase for Adder {}
