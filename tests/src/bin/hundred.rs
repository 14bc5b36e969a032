//! A hundred daemons in five waves and a status page, for who looks at that page: `hundred PORT`.
//!
//! One type is all of them. Each has a name, a place in the graph, a tick, an event and a check of its own; a few are in trouble.

#![cfg(unix)]
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use daemon_core::{
    BoxError, Check, CheckKind, Context, DaemonBase, Declaration, Declared, Definition, Dependency, Event,
    EventHandler, Host, Interval, Result, Schedule, Wired, place,
};
use daemon_health::HealthMonitor;
use daemon_health::http::HttpEndpoint;

const DAEMONS: usize = 100;
/// So many stand beside each other in a wave, of which each needs one of the wave before.
const ABREAST: usize = 20;

thread_local! {
    /// The number of the one that is added now: its definition is made there and then.
    static ADDED: Cell<usize> = const { Cell::new(0) };
}

/// A part of the program, by its number.
struct Part(usize);

#[derive(Event, serde::Serialize)]
#[event("parts:*:worked")]
struct Worked {
    part: String,
}

/// What it is called, as long as names of daemons are.
fn name(number: usize) -> String {
    const WORK: [&str; 5] = ["store", "index", "room-membership", "session-expiry", "gateway"];
    format!("{}-{:02}", WORK[number / ABREAST], number % ABREAST)
}

/// What is as wrong with a part as it can be: it never starts, and the host can do without it.
fn is_broken(number: usize) -> bool {
    number % 33 == 32
}

impl Declared for Part {
    const DECLARATION: Declaration = Declaration::new("part");
}

impl Wired for Part {
    fn wire(definition: &mut Definition<Self>) {
        let number = ADDED.get();
        let on = |number| -> &'static [Dependency] {
            let name: &'static str = name(number).leak(); // once for each, in a program under test
            vec![Dependency::named::<Self>(name)].leak()
        };
        let mut declaration = Declaration::new("part");
        if let Some(above) = number.checked_sub(ABREAST) {
            let across = above / ABREAST * ABREAST + (above * 7 + 3) % ABREAST;
            declaration = if is_broken(above) { declaration.wants(on(above)) } else { declaration.requires(on(above)) };
            declaration =
                if number.is_multiple_of(3) && across != above { declaration.wants(on(across)) } else { declaration };
        }
        definition.declare(if is_broken(number) { declaration.optional() } else { declaration });
        let period = Duration::from_millis(1_000 + 50 * number as u64);
        definition.every(Interval::new("work", Schedule::every(period), |part, cx| Box::pin(part.work(cx))));
        definition.on_event(EventHandler::typed::<Worked>("worked", |_, _| {
            place(|event: Arc<Worked>| async move { (event, Ok(())) })
        }));
        definition.check(Check::new("works", CheckKind::Readiness, |part, _| Box::pin(part.works())));
    }
}

impl Part {
    async fn work(&self, cx: &Context) -> Result<()> {
        cx.publish_to(&format!("parts:{}:worked", cx.name()), Worked { part: cx.name().to_owned() }).await?;
        if self.0 == 44 { Err("the index is out of date".into()) } else { Ok(()) }
    }

    async fn works(&self) -> Result<()> {
        if self.0 == 44 { Err("the index is out of date, and nobody has built it anew".into()) } else { Ok(()) }
    }
}

impl DaemonBase for Part {
    async fn initialize(&self, _: &Context) -> Result<()> {
        if is_broken(self.0) { Err("its server does not answer".into()) } else { Ok(()) }
    }
}

fn main() -> ExitCode {
    run().unwrap_or(ExitCode::from(2))
}

fn run() -> Result<ExitCode, BoxError> {
    let port: u16 = std::env::args().nth(1).ok_or("which port?")?.parse()?;
    let mut host = Host::new("hundred").without_lock().daemon(HttpEndpoint::on(([127, 0, 0, 1], port)));
    for number in 0..DAEMONS {
        ADDED.set(number);
        host = host.daemon_as(&name(number), Part(number));
    }
    Ok(host.daemon(HealthMonitor::new()).run())
}
