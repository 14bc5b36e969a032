//! A host of two daemons written by hand.
use daemon_core::*;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

struct Ping(u32);
impl Event for Ping {
    const TOPIC: &'static str = "ping:sent";
}

#[derive(Default)]
struct Data {
    log: Arc<Mutex<Vec<String>>>,
}
impl Declared for Data {
    const DECLARATION: Declaration = Declaration::new("data");
}
impl Wired for Data {
    fn wire(definition: &mut Definition<Self>) {
        definition.on_event(EventHandler::<Self>::typed::<Ping>("ping", |daemon, _cx| {
            place(move |event: Arc<Ping>| async move {
                daemon.log.lock().unwrap().push(format!("ping {}", event.0));
                (event, Ok(()))
            })
        }));
    }
}
impl DaemonBase for Data {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.lock().unwrap().push("data cleanup".into());
        Ok(())
    }
}

struct User {
    log: Arc<Mutex<Vec<String>>>,
}
impl Declared for User {
    const DECLARATION: Declaration = Declaration::new("user").requires(&[Dependency::on::<Data>()]);
}
impl Wired for User {
    fn wire(definition: &mut Definition<Self>) {
        definition
            .every(Interval::new("tick", Duration::from_secs(5), |daemon: &User, cx| {
                Box::pin(async move {
                    daemon.log.lock().unwrap().push("tick".into());
                    cx.publish(Ping(1)).await?;
                    Ok(())
                })
            }))
            .on_ready(OnReady::new("data-ready", Dependency::on::<Data>(), |daemon, _| {
                Box::pin(async move {
                    daemon.log.lock().unwrap().push("data is ready".into());
                    Ok(())
                })
            }));
    }
}
impl DaemonBase for User {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.lock().unwrap().push("user cleanup".into());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn two_daemons_by_hand() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let host = Host::new("test").daemon(User { log: log.clone() }).daemon(Data { log: log.clone() });
    let host = host.start().await.unwrap();
    println!("{}", host.start_report());
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    let report = host.shutdown().await.unwrap();
    println!("{report}");
    let log = log.lock().unwrap().clone();
    assert_eq!(log, ["data is ready", "tick", "ping 1", "tick", "ping 1", "user cleanup", "data cleanup"]);
    assert!(report.is_clean(), "{report:#?}");
}
