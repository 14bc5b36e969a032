//! A process that is started and stopped by hand.

use super::*;

fn process(place: &Place) -> DaemonProcess {
    DaemonProcess::builder("my-service").pid_file(&place.pid).without_signals().build()
}

#[tokio::test(start_paused = true)]
async fn a_process_starts_stops_and_starts_again() {
    let (place, log) = (place(), Log::default());
    let daemon = process(&place);
    daemon.on_shutdown(log.slowly("first"));
    daemon.on_shutdown(log.slowly("second"));
    assert_eq!((daemon.state(), daemon.is_running()), (State::Stopped, false));
    let refused = daemon.stop().await.unwrap_err();
    assert!(refused.is_not_running() && refused.message == "Daemon \"my-service\" is not running", "{refused}");
    assert!(daemon.wait().await.unwrap_err().is_not_running());
    for _ in 0..2 {
        daemon.start().await.unwrap();
        assert_eq!((daemon.state(), daemon.is_running()), (State::Running, true));
        assert_eq!(std::fs::read_to_string(&place.pid).unwrap(), std::process::id().to_string());
        let refused = daemon.start().await.unwrap_err();
        assert_eq!(refused.message, "Daemon \"my-service\" is already running");
        daemon.stop().await.unwrap();
        assert_eq!((daemon.state(), daemon.is_running()), (State::Stopped, false));
        assert!(!place.pid.exists());
        assert_eq!(log.take(), ["first", "second"], "each time");
        daemon.wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn w18_a_handler_registered_during_a_run_is_called_at_its_end_only() {
    let (place, log) = (place(), Log::default());
    let daemon = process(&place);
    daemon.on_shutdown(log.slowly("always"));
    daemon.start().await.unwrap();
    daemon.on_shutdown(log.slowly("once"));
    daemon.stop().await.unwrap();
    assert_eq!(log.take(), ["always", "once"]);
    daemon.start().await.unwrap();
    daemon.stop().await.unwrap();
    assert_eq!(log.take(), ["always"]);
}

#[tokio::test(start_paused = true)]
async fn w17_a_second_stop_waits_for_the_first_and_gets_its_answer() {
    let (place, log) = (place(), Log::default());
    let daemon = process(&place);
    daemon.on_shutdown(log.slowly("closed"));
    daemon.on_shutdown(|| async { Err::<(), _>("the disk is full") });
    daemon.start().await.unwrap();
    let first = tokio::spawn({
        let daemon = daemon.clone();
        async move { daemon.stop().await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((daemon.state(), daemon.is_running()), (State::Stopping, false));
    assert!(daemon.start().await.unwrap_err().is_already_running());
    let before = Instant::now();
    let second = daemon.stop().await.unwrap_err();
    assert_eq!((before.elapsed(), log.take().len()), (Duration::from_millis(500), 1), "it came when all was done");
    let first = first.await.unwrap().unwrap_err();
    assert_eq!((first.code, &first.message), (second.code, &second.message));
    assert_eq!(first.code, DaemonErrorCode::ShutdownFailed);
    assert!(first.has_stopped() && first.message.ends_with(": the disk is full"), "{first}");
    assert_eq!(daemon.report().unwrap().handlers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn w17_of_a_start_and_a_stop_at_once_the_stop_prevails() {
    let place = place();
    let daemon = DaemonProcess::builder("my-service")
        .pid_file(&place.pid)
        .without_signals()
        .host(|host| host.daemon(SlowStart))
        .build();
    let (started, stopped) = tokio::join!(daemon.start(), async {
        while daemon.state() != State::Starting {
            tokio::task::yield_now().await;
        }
        daemon.stop().await
    });
    assert_eq!(started.unwrap_err().code, DaemonErrorCode::StartFailed);
    stopped.unwrap();
    assert_eq!(daemon.state(), State::Stopped);
    assert!(!place.pid.exists());
}

#[daemon(no_handlers)]
struct SlowStart;

impl DaemonBase for SlowStart {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_that_overrun_are_a_shutdown_timeout() {
    let place = place();
    let daemon = DaemonProcess::builder("my-service")
        .pid_file(&place.pid)
        .without_signals()
        .shutdown_timeout(Duration::from_millis(1_500))
        .build();
    daemon.on_shutdown(std::future::pending::<()>);
    daemon.start().await.unwrap();
    let before = Instant::now();
    let refused = daemon.stop().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::ShutdownTimeout);
    assert_eq!(refused.message, "Shutdown handlers exceeded timeout of 1500ms");
    assert_eq!((before.elapsed().as_secs(), daemon.state()), (1, State::Stopped));
    assert!(!place.pid.exists());
}

#[tokio::test]
async fn what_keeps_a_process_from_starting_has_its_code() {
    let place = place();
    let other = process(&place);
    other.start().await.unwrap();
    let refused = process(&place).start().await.unwrap_err();
    assert_eq!((refused.code, refused.pid), (DaemonErrorCode::AlreadyRunning, Some(std::process::id())));
    assert_eq!(refused.message, format!("PID file already exists: {}", place.pid.display()));
    other.stop().await.unwrap();

    let daemon = DaemonProcess::builder("my-service").pid_file("/proc/daemon.pid").without_signals().build();
    let refused = daemon.start().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::PidError);
    assert!(refused.message.starts_with("Failed to write PID file: "), "{refused}");
    assert_eq!(daemon.state(), State::Stopped);

    let daemon = DaemonProcess::builder("../etc").pid_file(&place.pid).build();
    assert_eq!(daemon.start().await.unwrap_err().code, DaemonErrorCode::StartFailed);

    let daemon = DaemonProcess::builder("my-service").pid_file(&place.pid).host(|host| host.daemon(Broken)).build();
    let refused = daemon.start().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::StartFailed);
    assert!(refused.message.contains("`broken`: broken"), "{refused}");
    assert_eq!((daemon.state(), place.pid.exists()), (State::Stopped, false));
    assert_eq!(daemon.wait().await.unwrap_err().code, DaemonErrorCode::StartFailed, "that is how its last run ended");
}

#[test]
fn a_process_that_cannot_listen_to_signals_keeps_nothing_though_somebody_has_its_handle() {
    let place = place();
    let deaf = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let daemon = DaemonProcess::builder("my-service").pid_file(&place.pid).build();
    let handle = deaf.block_on(async {
        let mut start = std::pin::pin!(daemon.start());
        let handle = tokio::select! {
            biased;
            started = &mut start => panic!("at once: {started:?}"),
            () = std::future::ready(()) => daemon.handle(),
        };
        start.await.unwrap_err();
        handle
    });
    assert!(handle.is_some() && !place.pid.exists());
}

#[tokio::test]
async fn a_process_holds_the_lock_that_its_host_was_given() {
    let place = place();
    let lock = place.lock.clone();
    let host = move |host: Host| host.with_lock_path(&lock);
    let daemon = DaemonProcess::builder("my-service").pid_file(&place.pid).without_signals().host(host).build();
    daemon.start().await.unwrap();
    assert!(is_daemon_alive(&place.lock) && is_daemon_alive(&place.pid));
    daemon.stop().await.unwrap();
    assert!(!place.lock.exists() && !place.pid.exists());
}

#[tokio::test]
async fn a_pid_file_that_cannot_be_removed_is_told_of() {
    let place = place();
    let daemon = process(&place);
    daemon.start().await.unwrap();
    make_immovable(&place.pid);
    let refused = daemon.stop().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::PidError);
    assert!(refused.message.starts_with("Failed to remove PID file: "), "{refused}");
    assert_eq!(daemon.state(), State::Stopped);
}

#[tokio::test(start_paused = true)]
async fn daemons_of_a_process_stop_before_its_handlers_and_come_anew_with_each_start() {
    let (place, log) = (place(), Log::default());
    let stores = log.clone();
    let daemon = DaemonProcess::builder("my-service")
        .pid_file(&place.pid)
        .without_signals()
        .host(move |host| host.daemon(Store(stores.clone())))
        .build();
    daemon.on_shutdown(log.slowly("closed"));
    for _ in 0..2 {
        daemon.start().await.unwrap();
        assert!(daemon.handle().unwrap().status().daemon("store").is_some());
        daemon.stop().await.unwrap();
        assert_eq!(log.take(), ["store cleaned up", "closed", "store dropped"]);
        assert!(daemon.handle().is_none() && daemon.report().unwrap().is_clean());
    }
}

/// Stops the process that it is a daemon of.
#[daemon]
struct Quits(Arc<Mutex<Option<DaemonProcess>>>, Log);

#[daemon]
impl Quits {
    #[every("1s")]
    async fn tick(&self) -> Result<()> {
        let process = self.0.lock().unwrap().clone().ok_or("it is not built yet")?;
        process.stop().await?;
        self.1.add("tick");
        Ok(())
    }
}

impl DaemonBase for Quits {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        let process = self.0.lock().unwrap().take().ok_or("it was stopped before")?;
        process.stop().await?;
        self.1.add("cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_stopped_from_inside_does_not_wait_for_itself() {
    let (place, log, known) = (place(), Log::default(), Arc::new(Mutex::new(None)));
    let (given, told) = (known.clone(), log.clone());
    let process = DaemonProcess::builder("my-service").pid_file(&place.pid).without_signals();
    let process = process.host(move |host| host.daemon(Quits(given.clone(), told.clone()))).build();
    *known.lock().unwrap() = Some(process.clone());
    let (stops, told) = (process.clone(), log.clone());
    process.on_shutdown(move || {
        let (stops, told) = (stops.clone(), told.clone());
        async move {
            stops.stop().await?;
            told.add("handler");
            Ok::<_, daemon_core::BoxError>(())
        }
    });
    process.start().await.unwrap();
    process.wait().await.unwrap();
    assert_eq!(log.take(), ["tick", "cleanup", "handler"]);
    assert!(process.report().unwrap().stop_ms < 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn of_two_starts_at_once_one_is_refused_and_a_process_that_runs_makes_no_other_host() {
    let (both, made) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(Mutex::new(0)));
    let (meets, counts) = (both.clone(), made.clone());
    let host = move |host: Host| {
        let count = {
            let mut counts = counts.lock().unwrap();
            *counts += 1;
            *counts
        };
        if count <= 2 {
            meets.wait(); // both have found it stopped
        }
        host
    };
    let place = place();
    let process = DaemonProcess::builder("twice").pid_file(&place.pid).without_signals().host(host).build();
    let start = || {
        let process = process.clone();
        tokio::spawn(async move { process.start().await })
    };
    let (one, other) = (start(), start());
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
    assert!(one.and(other).unwrap_err().is_already_running());
    assert!(process.start().await.unwrap_err().is_already_running());
    assert_eq!(*made.lock().unwrap(), 2, "the third start made none");
    process.stop().await.unwrap();
}

/// Fails for good, and cannot be cleaned up in time.
#[daemon(name = "fails", no_handlers, stop_timeout = "1s")]
struct Fails;
impl DaemonBase for Fails {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(cx.spawn("deaf", std::future::pending::<()>())?);
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        Err("it does not close".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_is_seen_to_start_and_to_stop_from_the_first_moment_on_and_tells_of_all_that_went_wrong() {
    let place = place();
    let daemon = DaemonProcess::builder("fails").pid_file(&place.pid).without_signals().host(|host| host.daemon(Fails));
    let daemon = daemon.build();
    {
        let mut start = std::pin::pin!(daemon.start());
        tokio::select! {
            biased;
            started = &mut start => panic!("at once: {started:?}"),
            () = std::future::ready(()) => assert_eq!(daemon.state(), State::Starting),
        }
        start.await.unwrap();
    }
    daemon.on_shutdown(|| async { Err::<(), daemon_core::BoxError>("not now".into()) });
    daemon.handle().unwrap().request_shutdown();
    assert_eq!((daemon.state(), daemon.is_running()), (State::Stopping, false));
    let told = daemon.wait().await.unwrap_err().message;
    for fault in ["cleanup: it does not close", "task `deaf` was aborted", "not now"] {
        assert!(told.contains(fault), "{told}");
    }
}

/// Loses its task, and with that its life.
#[daemon(name = "loses")]
struct Loses;
#[daemon]
impl Loses {
    #[task(restart(never))]
    async fn works(&self) -> Result<()> {
        Err("it broke".into())
    }
}
impl DaemonBase for Loses {}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_since_a_daemon_failed_tells_why() {
    let place = place();
    let daemon = DaemonProcess::builder("loses").pid_file(&place.pid).without_signals().host(|host| host.daemon(Loses));
    let daemon = daemon.build();
    daemon.start().await.unwrap();
    let told = daemon.wait().await.unwrap_err();
    assert_eq!(told.code, DaemonErrorCode::ShutdownFailed);
    assert!(told.message.contains("daemon `loses`: ") && told.message.contains("it broke"), "{told}");
}
