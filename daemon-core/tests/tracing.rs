//! What a log shows of daemons: whose work an event came from, and what the host warns about.

mod log;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, DaemonProcess, Declaration, Definition, Event, Host, Result, Wired, daemon};
use log::listen;

#[derive(Event)]
#[event("work:comes", local)]
struct Work;

#[daemon(name = "talker")]
struct Talker;

#[daemon]
impl Talker {
    #[on_event]
    fn hears(&self, _work: &Work) {
        tracing::info!("from a handler");
    }

    #[every("1s")]
    fn ticks(&self) {
        tracing::info!("from a tick");
    }

    #[task]
    async fn ends_early(&self) {
        tracing::info!("from a task");
    }

    #[task(finite)]
    async fn may_end(&self) {}

    #[task(restart(always, backoff = "1h..1h"))]
    async fn again(&self) {}
}

impl DaemonBase for Talker {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tracing::info!("from initialize");
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tracing::info!("from cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn every_line_of_a_daemon_carries_its_span() {
    let (log, _guard) = listen();
    let host = Host::new("t").daemon(Talker).start().await.unwrap();
    host.handle().publish(Work).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    host.shutdown().await.unwrap();
    for origin in ["initialize", "a handler", "a tick", "a task", "cleanup"] {
        let line = log.line(&format!("from {origin}")).unwrap();
        assert!(line.contains("daemon{name=\"talker\"}"), "{line}");
    }
    let early = log.line("the task ended early").unwrap();
    assert!(early.contains("WARN") && early.contains("ends_early") && early.contains("task(finite)"), "{early}");
    assert!(!log.text().contains("may_end"), "it may: {}", log.text());
    let again = log.line("the task is run again").unwrap();
    assert!(again.contains("WARN") && again.contains("task=\"again\"") && again.contains("after="), "{again}");
}

#[daemon(name = "slow")]
struct Slow;

#[daemon]
impl Slow {
    #[on_event(capacity = 1)]
    async fn dawdles(&self, _work: &Work) {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

impl DaemonBase for Slow {}

#[daemon(name = "hasty", requires(Slow))]
struct Hasty;

#[daemon]
impl Hasty {
    #[task(finite)]
    async fn publishes(&self, cx: &Context) -> Result<()> {
        for _ in 0..3 {
            cx.publish(Work).await?;
        }
        Ok(())
    }
}

impl DaemonBase for Hasty {}

#[tokio::test(start_paused = true)]
async fn a_stalled_publisher_is_warned_about_with_both_names() {
    let (log, _guard) = listen();
    let host = Host::new("t").daemon(Slow).daemon(Hasty).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let stall = log.text().lines().find(|line| line.contains("WARN") && line.contains("hasty")).map(str::to_owned);
    assert!(stall.as_ref().is_some_and(|line| line.contains("slow.dawdles")), "{stall:?}\n{}", log.text());
    host.shutdown().await.unwrap();
}

/// Declared by its type as one thing, by its definition as another.
#[daemon(name = "changed")]
struct Changed;

impl Wired for Changed {
    fn wire(definition: &mut Definition<Self>) {
        let declaration = Declaration::new("changed").stop_timeout(Duration::from_secs(1)).optional();
        definition.declare(declaration);
    }
}

impl DaemonBase for Changed {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("not today".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_may_declare_its_daemon_otherwise() {
    let host = Host::new("t").daemon(Changed).start().await.unwrap();
    assert!(host.handle().status().daemon("changed").unwrap().optional);
    assert_eq!(host.shutdown().await.unwrap().exit_code, 0);
}

/// Takes its time.
#[daemon(name = "lazy")]
struct Lazy;

#[daemon]
impl Lazy {
    #[on_event(capacity = 1)]
    async fn hears(&self, _work: &Work) {
        tokio::time::sleep(Duration::from_secs(100)).await;
    }
}

impl DaemonBase for Lazy {}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_is_held_up_is_told_of_by_both_names_until_that_is_over() {
    let (log, _guard) = listen();
    let host = Host::new("t").daemon(Lazy).start().await.unwrap();
    for _ in 0..2 {
        host.handle().publish(Work).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let begun = tokio::time::Instant::now();
    host.handle().publish(Work).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 99);
    let given_up = tokio::time::timeout(Duration::from_secs(2), host.handle().publish(Work)).await;
    assert!(given_up.is_err());
    let text = log.text();
    let told: Vec<_> = text.lines().filter(|line| line.contains("publish")).collect();
    let told: Vec<_> = told.iter().filter_map(|line| line.split_once("stall: ")).map(|(_, line)| line).collect();
    let waits: Vec<_> = text.lines().filter(|line| line.contains("waited for room for")).collect();
    for (line, seconds) in waits.iter().zip(["1s", "3s", "7s", "15s", "31s", "63s", "1s"]) {
        assert!(line.contains("publisher=\"host\" subscription=\"lazy.hears\""), "{line}");
        assert!(line.contains(&format!("for room for {seconds} ")), "{line}");
    }
    assert_eq!(waits.len(), 7, "{text}");
    assert_eq!(told.len(), 2, "{text}");
    assert!(told[0].starts_with("publish goes on after it waited for 99."), "{text}");
    assert!(told[1].starts_with("publish was given up after it waited for 2s"), "{text}");
    host.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_waits_long_until_its_event_is_handled_is_told_of_too() {
    let (log, _guard) = listen();
    let host = Host::new("t").daemon(Lazy).start().await.unwrap();
    assert_eq!(host.handle().publish_and_wait(Work).await, Ok(1));
    let text = log.text();
    let told: Vec<_> = text.lines().filter(|line| line.contains("publish")).collect();
    assert_eq!(told.len(), 7, "{text}");
    for (line, after) in told.iter().zip([1, 3, 7, 15, 31, 63]) {
        assert!(line.contains("publisher=\"host\" subscription=\"lazy.hears\""), "{line}");
        assert!(line.contains(&format!("waited for its event to be handled for {after}s ")), "{line}");
    }
    assert!(told[6].contains("publish goes on after it waited for 100s"), "{text}");
    host.shutdown().await.unwrap();
}

fn never(_: &Work) -> bool {
    panic!("no idea")
}

#[daemon(name = "strict")]
struct Strict;

#[daemon]
impl Strict {
    #[on_event(when = never)]
    fn hears(&self, _work: &Work) {}
}

impl DaemonBase for Strict {}

#[tokio::test]
async fn panics_of_a_filter_are_told_of_ever_more_rarely() {
    let (log, _guard) = listen();
    let host = Host::new("t").daemon(Strict).start().await.unwrap();
    for _ in 0..20 {
        host.handle().publish(Work).await.unwrap();
    }
    let report = host.shutdown().await.unwrap();
    assert_eq!((report.events[0].offered, report.events[0].failed), (20, 20));
    let text = log.text();
    let told: Vec<_> =
        text.lines().filter(|line| line.contains("a filter panicked; the event counts as failed")).collect();
    assert_eq!(told.len(), 5, "1, 2, 4, 8, 16: {text}");
    for (line, panics) in told.iter().zip([1, 2, 4, 8, 16]) {
        assert!(line.contains(&format!("subscription=\"strict.hears\" publisher=\"host\" panics={panics}")), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_with_a_shutdown_handler_is_warned_about() {
    const FAILED: &str = "a shutdown handler failed";
    const OVERRAN: &str = "the shutdown handlers took too long";
    let (log, _guard) = listen();
    let host = Host::new("t").on_shutdown(|| async {}).on_shutdown(|| async { Err::<(), _>("the disk is full") });
    host.start().await.unwrap().shutdown().await.unwrap();
    let failed = log.line(FAILED).unwrap();
    assert!(failed.contains("WARN") && failed.contains("problem=\"the disk is full\""), "{failed}");
    assert!(failed.contains("tracing.rs:"), "{failed}");
    let text = log.text();
    assert!(text.matches(FAILED).count() == 1 && !text.contains(OVERRAN), "{text}");

    let (log, _guard) = listen();
    let host = Host::new("t").shutdown_timeout(Duration::from_secs(1)).on_shutdown(std::future::pending::<()>);
    host.start().await.unwrap().shutdown().await.unwrap();
    let overran = log.line(OVERRAN).unwrap();
    assert!(overran.contains("WARN") && overran.contains("timeout=1s"), "{overran}");
    assert!(!log.text().contains(FAILED), "{}", log.text());
}

/// Stops after the shutdown handlers, and registers one more then.
#[daemon(name = "remembers", plane = operations, no_handlers)]
struct Remembers(Arc<Mutex<Option<DaemonProcess>>>);

impl DaemonBase for Remembers {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        let process = self.0.lock().map_err(|_| "poisoned")?.take().ok_or("it is not built yet")?;
        process.on_shutdown(|| async { tracing::info!("it was called after all") });
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_handler_that_comes_too_late_is_warned_about_and_not_called() {
    let (log, _guard) = listen();
    let (dir, known) = (tempfile::tempdir().unwrap(), Arc::new(Mutex::new(None)));
    let given = known.clone();
    let process = DaemonProcess::builder("t").pid_file(dir.path().join("pid")).without_signals();
    let process = process.host(move |host| host.daemon(Remembers(given.clone()))).build();
    *known.lock().unwrap() = Some(process.clone());
    process.start().await.unwrap();
    process.stop().await.unwrap();
    let late = log.line("a shutdown handler was registered after the last of them").unwrap();
    assert!(late.contains("WARN") && late.contains("tracing.rs"), "{late}");
    assert!(!log.text().contains("it was called after all"), "{}", log.text());
}

/// Cannot start.
#[daemon(name = "hopeless", no_handlers)]
struct Hopeless;

impl DaemonBase for Hopeless {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("no hope".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_logged_with_the_step_it_failed_in() {
    let made = Host::new("t").daemon_with(|| Err::<Hopeless, std::io::Error>(std::io::Error::other("no hope")));
    for (host, step) in [(Host::new("t").daemon(Hopeless), "initialize"), (made, "factory")] {
        let (log, _guard) = listen();
        host.start().await.unwrap_err();
        let failed = log.line(&format!("{step} failed")).unwrap_or_else(|| panic!("{step}: {}", log.text()));
        assert!(failed.contains("ERROR") && failed.contains("failure=no hope"), "{failed}");
    }
}

/// Hands its context out.
#[daemon(name = "open", no_handlers)]
struct Open(Mutex<Option<Context>>);

impl DaemonBase for Open {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        *self.0.lock().map_err(|_| "poisoned")? = Some(cx.clone());
        Ok(())
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_is_told_of_and_no_other() {
    for panics in [false, true] {
        let (log, _guard) = listen();
        let host = Host::new("t").daemon(Open(Mutex::default())).start().await.unwrap();
        let cx = host.handle().daemon::<Open>().unwrap().0.lock().unwrap().take().unwrap();
        let waker = if panics { Waker::from(Arc::new(Panics)) } else { Waker::noop().clone() };
        let mut waits = pin!(cx.cancelled());
        assert!(waits.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        // Of the life, and of its state.
        let (handle, told) = (host.handle(), || log.text().matches("a waker panicked: whoever waits by it").count());
        let mut stops = pin!(handle.stop_daemon("open"));
        assert!(stops.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        host.shutdown().await.unwrap();
        assert_eq!(told(), if panics { 2 } else { 0 }, "{}", log.text());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_is_refused_is_an_error_and_says_why() {
    let turn = std::sync::atomic::AtomicBool::new(false);
    let load = move || match turn.fetch_not(std::sync::atomic::Ordering::Relaxed) {
        false => Ok(()),
        true => Err("the file is gone"),
    };
    let (log, _guard) = listen();
    let host = Host::new("t").configuration((), load).start().await.unwrap();
    assert!(host.handle().reload().await.unwrap().is_reloaded());
    assert!(log.line("t reloaded").unwrap().contains("INFO"), "{}", log.text());
    assert!(!host.handle().reload().await.unwrap().is_reloaded());
    assert!(log.line("t refused to reload").unwrap().contains("ERROR"), "{}", log.text());
    assert!(log.line("  the configuration: the file is gone").is_some(), "{}", log.text());
    host.shutdown().await.unwrap();
}
