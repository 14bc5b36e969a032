//! Typed events, wildcards, and a queue that is too small for its slow handler.
//!
//! ```text
//! $ cargo run -p examples --example 02-events
//! display: 20 degrees
//! display: sensor:kitchen:measured {"celsius":20.0}
//! display: 20.5 degrees
//! display: sensor:kitchen:measured {"celsius":20.5}
//! display: 21 degrees
//! display: sensor:kitchen:measured {"celsius":21.0}
//! display: 21.5 degrees
//! display: sensor:kitchen:measured {"celsius":21.5}
//! display: 22 degrees
//! display: sensor:kitchen:measured {"celsius":22.0}
//! display: sensor:kitchen:failed {"reason":"the battery is empty"}
//! events started: 2 daemons in 5 ms
//!   wave 1  display  running      0 ms
//!   wave 2  sensor   running      0 ms  after display, ready at 4 ms
//! archive: 21.5 degrees
//! archive: 22 degrees
//! events stopped after 58 ms: asked for by daemon `sensor`; the stop took 53 ms, exit code 0
//!   wave 2  sensor   stopped      0 ms
//!   wave 1  display  stopped     52 ms
//!   events              offered   handled  failed dropped abandoned
//!   display.measured          5         5       0       0         0
//!   display.anything          6         6       0       0         0
//!   display.archive           5         2       0       3         0
//!   left: 0 subscriptions, 0 intervals, 0 tasks
//! ```

use daemon_core::{Context, DaemonBase, Envelope, Event, Host, Result, daemon};
use std::{process::ExitCode, time::Duration};

#[derive(Event, serde::Serialize)]
#[event("sensor:kitchen:measured")]
struct Measured {
    celsius: f32,
}

#[derive(Event, serde::Serialize)]
#[event("sensor:kitchen:failed")]
struct Failed {
    reason: &'static str,
}

#[daemon]
struct Display;

#[daemon]
impl Display {
    /// The type of the event says which topic this is about.
    #[on_event]
    fn measured(&self, event: &Measured) {
        println!("display: {} degrees", event.celsius);
    }

    /// A pattern: events of any type, as JSON on demand.
    #[on_event("sensor:**")]
    fn anything(&self, event: &Envelope) -> Result<()> {
        if let Some(json) = event.to_json() {
            println!("display: {} {}", event.topic(), json?);
        }
        Ok(())
    }

    /// Two events may wait for this one. Beyond that the oldest is dropped and counted; nobody else loses any.
    #[on_event(capacity = 2, overflow = drop_oldest)]
    async fn archive(&self, event: &Measured) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        println!("archive: {} degrees", event.celsius);
    }
}

impl DaemonBase for Display {}

#[daemon(requires(Display))]
struct Sensor;

#[daemon]
impl Sensor {
    #[task(finite)]
    async fn measure(&self, cx: &Context) -> Result<()> {
        for step in 0..5 {
            cx.publish(Measured { celsius: 20.0 + step as f32 / 2.0 }).await?;
        }
        cx.publish(Failed { reason: "the battery is empty" }).await?;
        cx.request_shutdown(); // what is queued is handled first
        Ok(())
    }
}

impl DaemonBase for Sensor {}

fn main() -> ExitCode {
    Host::new("events").daemon(Sensor).daemon(Display).run()
}
