//! HTTP on the socket of a host: asked for by a real curl, beside requests of the socket's own protocol.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use daemon_core::{DaemonBase, Host, Result, RunningHost, daemon};
use daemon_health::http::HttpEndpoint;
use daemon_ipc::{Connection, ConnectionError, IpcServer, Limits, Policy, RequestError};
use tests::TempDir;

/// A bound for what should happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[daemon(name = "store")]
#[derive(Default)]
struct Store;

#[daemon]
impl Store {
    #[health(readiness, group = "stores")]
    async fn disk(&self) -> Result<()> {
        Ok(())
    }

    #[command]
    async fn double(&self, number: u32) -> Result<u32> {
        Ok(number * 2)
    }
}

impl DaemonBase for Store {}

/// A host on a socket of its own.
struct Place {
    _dir: TempDir,
    socket: PathBuf,
    host: RunningHost,
}

impl Place {
    async fn new(server: IpcServer, endpoint: Option<HttpEndpoint>) -> Self {
        let dir = TempDir::new().unwrap();
        let socket = dir.path().join("daemon.sock");
        let host = Host::new("shop").daemon(server.path(&socket)).daemon(Store);
        let host = match endpoint {
            Some(endpoint) => host.daemon(endpoint),
            None => host,
        };
        Self { _dir: dir, socket, host: host.start().await.unwrap() }
    }

    async fn usual() -> Self {
        Self::new(IpcServer::new(), Some(HttpEndpoint::on_socket())).await
    }

    /// What curl gets: a status, and a body.
    async fn get(&self, path: &str) -> (u16, String) {
        let (code, out) = self.curl(path, &[]).await;
        assert_eq!(code, Some(0), "{path}: {out}");
        let (body, status) = out.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// How curl ends, and what it prints: a body, and a line with the status.
    async fn curl(&self, path: &str, more: &[&str]) -> (Option<i32>, String) {
        let mut curl = curl(&self.socket, path);
        curl.args(["--silent", "--write-out", "\n%{http_code}"]).args(more);
        let done = tokio::task::spawn_blocking(move || curl.output().unwrap()).await.unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

fn curl(socket: &Path, path: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.arg("--unix-socket").arg(socket).args(["--max-time", "60"]).arg(format!("http://x{path}"));
    curl
}

fn is_there() -> bool {
    let there = curl(Path::new("/"), "/").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        tests::not_run("HTTP on the socket", "curl is not installed");
    }
    there
}

/// A curl that follows what the status page sees. It is killed in the end.
struct Viewer(Child, BufReader<ChildStdout>);

impl Viewer {
    /// One that has heard of a daemon.
    async fn looking(place: &Place) -> Self {
        let mut curl = curl(&place.socket, "/events");
        tokio::task::spawn_blocking(move || {
            let mut child = curl.args(["--silent", "--no-buffer"]).stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            while !line.contains("[\"daemon/store\"") {
                line.clear();
                assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the end came before the daemon");
            }
            Self(child, lines)
        })
        .await
        .unwrap()
    }

    /// Waits until the server has ended it. Whether as an answer ends, and not as one that is cut short.
    async fn end(mut self) -> bool {
        let end = move || {
            std::io::copy(&mut self.1, &mut std::io::sink()).unwrap();
            self.0.wait().unwrap().success()
        };
        tokio::task::spawn_blocking(end).await.unwrap()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_answered_beside_requests_of_the_socket_s_own() {
    if !is_there() {
        return;
    }
    let place = Place::usual().await;
    let connection = Connection::connect(&place.socket).await.unwrap();
    for (path, status, says) in [
        ("/livez", 200, "ok"),
        ("/readyz", 200, "ok"),
        ("/readyz?verbose", 200, "[+]store.disk ok"),
        ("/startupz", 200, "ok"),
        ("/health", 200, "\"store.disk\""),
        ("/health/stores", 200, "\"store.disk\""),
        ("/health/none", 404, "none"),
        ("/metrics", 200, "daemon_host_state"),
        ("/status.json", 200, "\"name\":\"store\""),
        ("/", 200, "<!doctype html>"),
        ("/elsewhere", 404, "/readyz"),
    ] {
        let (code, body) = place.get(path).await;
        assert!(code == status && body.contains(says), "{path}: {code} {body}");
        assert_eq!(Store::client(&connection).double(&21).await.unwrap(), 42);
    }
    let viewer = Viewer::looking(&place).await;
    // With somebody looking, the stop takes no longer, and the stream is ended and not cut.
    let report = place.host.shutdown().await.unwrap();
    assert_eq!(report.exit_code, 0, "{report}");
    assert!(viewer.end().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_s_policy_and_its_connections_count() {
    if !is_there() {
        return;
    }
    let stranger = IpcServer::new().policy(Policy::of(|_| false));
    let place = Place::new(stranger, Some(HttpEndpoint::on_socket())).await;
    let (code, out) = place.curl("/livez", &[]).await;
    assert!(code != Some(0) && out == "\n000", "whoever comes is looked at first: {out}");

    let one = IpcServer::new().limits(Limits::default().with_max_connections(1));
    let place = Place::new(one, Some(HttpEndpoint::on_socket())).await;
    let viewer = Viewer::looking(&place).await;
    let ask = async || Connection::connect(&place.socket).await?.call::<_, ()>(&()).await;
    let refused = ask().await.unwrap_err();
    assert!(matches!(&refused, RequestError::Connection(ConnectionError::Rejected { .. })), "{refused:?}");
    drop(viewer);
    let began = Instant::now();
    // Once the server has seen that the viewer is gone.
    while let Err(RequestError::Connection(error)) = ask().await {
        assert!(began.elapsed() < SOON, "{error}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_stops_leaves_a_polite_refusal_and_one_that_starts_again_answers() {
    if !is_there() {
        return;
    }
    let place = Place::usual().await;
    let handle = place.host.handle();
    let viewer = Viewer::looking(&place).await;
    handle.stop_daemon("http").await.unwrap();
    assert!(viewer.end().await);
    let (status, body) = place.get("/livez").await;
    assert!(status == 426 && body.contains("newline-delimited JSON"), "{status} {body}");
    handle.start_daemon("http").await.unwrap();
    assert_eq!(place.get("/livez").await.0, 200);

    let viewer = Viewer::looking(&place).await;
    handle.restart_daemon("ipc").await.unwrap();
    assert!(!viewer.end().await, "the stream does not know of the server it came by");
    assert_eq!(place.get("/livez").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_asked_for_here_too_and_a_port_beside_the_socket_is_another_door() {
    if !is_there() {
        return;
    }
    let secret = "correct-horse-battery-staple";
    let endpoint = HttpEndpoint::on(([127, 0, 0, 1], 0)).also_on_socket().token(secret);
    let place = Place::new(IpcServer::new(), Some(endpoint)).await;
    assert_eq!(place.get("/livez").await.0, 401);
    let (_, out) = place.curl("/livez", &["--header", &format!("Authorization: Bearer {secret}")]).await;
    assert_eq!(out, "ok\n200");
    let port = place.host.handle().daemon::<HttpEndpoint>().unwrap().address().unwrap();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--user", &format!("x:{secret}"), &format!("http://{port}/livez")]);
    let done = tokio::task::spawn_blocking(move || curl.output().unwrap()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_http_is_told_what_is_spoken() {
    if !is_there() {
        return;
    }
    let place = Place::new(IpcServer::new(), None).await;
    let (status, body) = place.get("/livez").await;
    assert!(status == 426 && body.contains("newline-delimited JSON"), "{status} {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_on_a_socket_that_nobody_has_is_noted_at_the_start() {
    let notes = |host: &RunningHost| host.start_report().notes.clone();
    let alone = Host::new("shop").daemon(Store).daemon(HttpEndpoint::on_socket()).start().await.unwrap();
    let noted = notes(&alone);
    assert!(matches!(&*noted, [note] if note.contains("no daemon listens there; add")), "{noted:?}");
    assert!(alone.start_report().to_string().contains("such as `IpcServer` of `daemon-ipc`"));
    assert_eq!(notes(&Place::usual().await.host), [""; 0]);
    let on_a_port = Host::new("shop").daemon(HttpEndpoint::on(([127, 0, 0, 1], 0))).start().await.unwrap();
    assert_eq!(notes(&on_a_port), [""; 0]);
}
