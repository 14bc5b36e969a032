//! How things end: in reverse, drained, cleaned up, and only then unsubscribed.
//!
//! ```text
//! $ cargo run -p examples --example 05-cleanup
//! cleanup started: 2 daemons in 1 ms
//!   wave 1  database  running      0 ms
//!   wave 2  web       running      0 ms  after database, ready at 1 ms
//! web: visit 1
//! web: visit 2
//! web: visit 3
//! web: no longer listening
//! web: cleaning up
//! web: too late, unsubscribed at once
//! web: refused, daemon `web` is stopping
//! web: unsubscribed
//! database: closed, now that nobody needs it
//! cleanup stopped after 36 ms: asked for by daemon `web`; the stop took 34 ms, exit code 0
//!   wave 2  web       stopped     33 ms
//!   wave 1  database  stopped      0 ms
//!   events         offered   handled  failed dropped abandoned
//!   web.visited          3         3       0       0         0
//!   left: 0 subscriptions, 0 intervals, 0 tasks
//! ```

use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};
use std::{process::ExitCode, time::Duration};

#[derive(Event)]
#[event("web:visited", local)]
struct Visited(u32);

#[daemon(no_handlers)]
struct Database;

impl DaemonBase for Database {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("database: closed, now that nobody needs it");
        Ok(())
    }
}

#[daemon(requires(Database))]
struct Web;

#[daemon]
impl Web {
    #[on_event]
    async fn visited(&self, Visited(visit): &Visited) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        println!("web: visit {visit}");
    }

    #[task]
    async fn listen(&self, cx: &Context) -> Result<()> {
        for visit in 1..=3 {
            cx.publish(Visited(visit)).await?;
        }
        cx.request_shutdown(); // with three visits in the queue
        cx.cancelled().await;
        println!("web: no longer listening");
        Ok(())
    }
}

impl DaemonBase for Web {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.register_subscription(|| println!("web: unsubscribed"))?;
        Ok(())
    }

    async fn cleanup(&self, cx: &Context) -> Result<()> {
        println!("web: cleaning up");
        if let Err(refused) = cx.register_subscription(|| println!("web: too late, unsubscribed at once")) {
            println!("web: refused, {refused}");
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    Host::new("cleanup").daemon(Web).daemon(Database).run()
}
