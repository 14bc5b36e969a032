//! What others may cost, and what they cannot do.

use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use daemon_core::HostHandle;
use daemon_health::http::{HttpLimits, LogLine, LogTail};

use super::client::{Client, get};
use super::*;

fn limits(set: impl FnOnce(&mut HttpLimits)) -> HttpLimits {
    let mut limits = HttpLimits::default();
    set(&mut limits);
    limits
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_is_room_for_wait_for_those_that_idle() {
    let endpoint = endpoint().limits(limits(|limits| limits.connections = 2));
    let (host, at) = start(endpoint, Store::default()).await;
    let mut idle = [Client::connect(at).await, Client::connect(at).await];
    for client in &mut idle {
        client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        client.until("\r\n\r\nok").await;
    }
    // Both could be asked again; the third makes them leave.
    assert_eq!(get(at, "/livez").await.status, 200);
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_is_given_up_and_one_that_is_too_long_refused() {
    let endpoint = endpoint().limits(limits(|limits| limits.head_timeout = Duration::from_millis(50)));
    let (host, at) = start(endpoint, Store::default()).await;
    let mut slow = Client::connect(at).await;
    slow.send("GET /livez HTTP/1.1\r\nHost: local").await;
    assert!(!slow.rest().await.contains("200 OK"));
    let mut long = Client::connect(at).await;
    long.send(&format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000))).await;
    assert!(long.until("\r\n").await.starts_with("HTTP/1.1 431 "));
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_harms_nobody_and_so_many_may_look_and_no_more() {
    let endpoint = endpoint().limits(limits(|limits| limits.viewers = 1));
    let (host, at) = start(endpoint, Store::default()).await;
    for _ in 0..32 {
        let mut rude = Client::connect(at).await;
        rude.send("GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    }
    let mut viewer = Client::connect(at).await;
    viewer.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    viewer.until("retry: ").await;
    let refused = get(at, "/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("30")));
    assert_eq!(get(at, "/readyz").await.status, 200);
    drop(viewer);
    // The place is free once the endpoint has seen that the viewer is gone.
    loop {
        let mut next = Client::connect(at).await;
        next.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        if next.until("\r\n").await.starts_with("HTTP/1.1 200") {
            break;
        }
    }
    host.shutdown().await.unwrap();
}

/// A look at `/events` that nobody goes on reading.
async fn look_away(at: SocketAddr) -> Client {
    let mut viewer = Client::connect(at).await;
    viewer.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    viewer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_stops_reading_is_given_up_and_its_place_is_free() {
    let logs = LogTail::new();
    let endpoint = endpoint().log_tail(logs.clone()).limits(limits(|limits| {
        (limits.viewers, limits.refresh) = (1, Duration::from_millis(1));
        limits.write_timeout = Duration::from_millis(20);
    }));
    let (host, at) = start(endpoint, Store::default()).await;
    let mut deaf = look_away(at).await;
    deaf.until("retry: ").await;
    // What is written to it fills the buffers of the system in the end.
    while get(at, "/livez").await.status == 200 {
        (0..200).for_each(|_| logs.push(LogLine::now("INFO", "store", "x".repeat(2_000))));
        if look_away(at).await.until("\r\n").await.starts_with("HTTP/1.1 200") {
            break;
        }
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_left_open_connects_anew_when_its_connection_is_old() {
    let endpoint = endpoint().limits(limits(|limits| {
        (limits.age, limits.drain) = (Duration::from_millis(500), Duration::from_millis(10));
        limits.refresh = Duration::from_millis(10);
    }));
    let (host, at) = start(endpoint, Store::default()).await;
    for _ in 0..2 {
        let mut page = look_away(at).await;
        page.until("[\"daemon/store\"").await;
        page.rest().await; // as a day has many hours
    }
    host.shutdown().await.unwrap();
}

/// Counts how often its check is asked.
#[daemon(name = "asked")]
#[derive(Default)]
struct Asked(Arc<AtomicUsize>);

#[daemon]
impl Asked {
    #[health(readiness)]
    async fn often(&self) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl DaemonBase for Asked {}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_probes_asks_a_check_once() {
    let asked = Asked::default();
    let count = Arc::clone(&asked.0);
    let host = Host::new("shop").daemon(endpoint()).daemon(asked).start().await.unwrap();
    let at = host.handle().daemon::<HttpEndpoint>().unwrap().address().unwrap();
    let mut probes = tokio::task::JoinSet::new();
    for probe in 0..300 {
        let path = ["/readyz", "/health", "/readyz?verbose"][probe % 3];
        probes.spawn(async move { get(at, path).await.status });
    }
    assert!(probes.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_to_be_fresh_at_any_moment_is_nearly_so() {
    let endpoint = endpoint().limits(limits(|limits| limits.refresh = Duration::ZERO));
    let (host, at) = start(endpoint, Store::default()).await;
    let mut viewer = Client::connect(at).await;
    viewer.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    viewer.until("[\"daemon/store\"").await;
    host.shutdown().await.unwrap();
}

/// Says where the endpoint is, and blocks the thread of a worker until it is let go.
#[daemon(name = "rude")]
struct Rude {
    tell: mpsc::Sender<(HostHandle, SocketAddr)>,
    let_go: Mutex<mpsc::Receiver<()>>,
}

#[daemon]
impl Rude {
    #[on_ready(HttpEndpoint)]
    async fn block(&self, cx: &Context) -> Result<()> {
        let at = cx.host().daemon::<HttpEndpoint>().unwrap().address().unwrap();
        self.tell.send((cx.host(), at))?;
        Ok(self.let_go.lock().unwrap().recv()?)
    }
}

impl DaemonBase for Rude {}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_while_every_worker_is_blocked() {
    let ((tell, told), (let_go, is_let_go)) = (mpsc::channel(), mpsc::channel());
    let rude = Rude { tell, let_go: Mutex::new(is_let_go) };
    let host = Host::new("shop").daemon(endpoint()).daemon(rude).daemon(HealthMonitor::new());
    let running = std::thread::spawn(|| host.without_lock().quiet().workers(1).run());
    let (handle, at) = told.recv_timeout(Duration::from_secs(20)).unwrap();
    for path in ["/livez", "/status.json", "/metrics", "/"] {
        assert_eq!(get(at, path).await.status, 200, "{path}");
    }
    let_go.send(()).unwrap();
    handle.request_shutdown();
    let code = running.join().unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
}
