//! `@outfitter/daemon` from npm, as it is, on Bun: its client against our server, and our clients against its server.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon_core::instance;
use daemon_ipc::{Connection, Failure, Json, Reply, Request, RequestError, Server, blocking, from_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use tests::{Program, Running, Signal, Source, TempDir};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const SOON: Duration = Duration::from_secs(60);
const INTEROP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop");

/// Bun, of whichever package fits this machine.
fn bun() -> Result<PathBuf> {
    let packages = Path::new(INTEROP).join("node_modules/@oven");
    let missing = |fault| format!("no Bun in {}: {fault}; run tools/setup.sh", packages.display());
    let packages = std::fs::read_dir(&packages).map_err(|fault| missing(fault.to_string()))?;
    let mut programs = packages.filter_map(|package| Some(package.ok()?.path().join("bin/bun")));
    programs.find(|program| program.exists()).ok_or_else(|| missing("no program".to_owned()).into())
}

fn run(script: &str, socket: &Path) -> Result<Running> {
    Ok(program(script)?.args([socket]).start()?)
}

fn program(script: &str) -> Result<Program> {
    Ok(Program::new(bun()?).args([format!("{INTEROP}/{script}")]).current_dir(INTEROP))
}

/// A host with a socket, in a directory of its own.
fn host(dir: &TempDir) -> Result<Running> {
    let subject = Program::new(env!("CARGO_BIN_EXE_subject")).runtime_dir(dir.path());
    let running = subject.args(["served/calm@"]).start()?;
    running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("subject started"))?;
    Ok(running)
}

/// What its functions make of the instance `subject` in `dir`.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Seen {
    paths: [PathBuf; 4],
    pid: Option<u32>,
    alive: bool,
    process_alive: bool,
    acquired: String,
    started: String,
}

fn look(dir: &TempDir) -> Result<Seen> {
    let own = dir.path().join("subject");
    let (lock, pid_file) = (own.join("daemon.lock"), own.join("daemon.pid"));
    let program = program("instance.ts")?.runtime_dir(dir.path());
    let arguments = ["look".as_ref(), "subject".as_ref(), lock.as_os_str(), pid_file.as_os_str()];
    let mut running = program.args(arguments).start()?;
    let status = running.wait(SOON)?;
    let said = running.text(Source::Stdout);
    serde_json::from_str(&said)
        .map_err(|error| format!("{status}, {error}: {said}{}", running.text(Source::Stderr)).into())
}

#[derive(Deserialize)]
struct Ask {
    r#type: String,
    #[serde(default)]
    value: Option<Json>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    length: usize,
}

async fn answer(request: Request) -> Result<Reply, Failure> {
    let ask: Ask = request.read()?;
    match &*ask.r#type {
        "echo" => Ok(ask.value.map_or_else(|| Reply::of(&()), |value| Ok(value.into()))?),
        "nothing" => Ok(Reply::empty()),
        "fail" => Err(Failure::new(ask.message)),
        "panic" => panic!("as asked"),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(ask.value.into())
        }
        "large" => Reply::of(&"x".repeat(ask.length)),
        unknown => Err(Failure::new(format!("unknown type `{unknown}`"))),
    }
}

#[tokio::test]
async fn its_client_is_served() -> Result {
    let dir = TempDir::new()?;
    let path = dir.path().join("daemon.sock");
    let server = Server::builder(from_fn(answer)).listen(&path)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.run());
    let client = path.clone();
    let said = tokio::task::spawn_blocking(move || {
        let mut running = run("client.ts", &client).map_err(|fault| fault.to_string())?;
        let status = running.wait(SOON).map_err(|fault| fault.to_string())?;
        let said = running.text(Source::Stdout) + &running.text(Source::Stderr);
        if status.success() { Ok(said) } else { Err(said) }
    });
    let said = said.await??;
    assert_eq!(said, "all 19 are as they should be\n");
    handle.close();
    serving.await?;
    assert!(!path.exists());
    Ok(())
}

/// The failure a call was answered with.
fn failure(outcome: Result<Value, RequestError>) -> Failure {
    match outcome {
        Err(RequestError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn its_server_is_asked() -> Result {
    let dir = TempDir::new()?;
    let path = dir.path().join("daemon.sock");
    let mut running = run("server.ts", &path)?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "listening")?;
    let connection = Connection::connect(&path).await?;
    let ask =
        async |kind: &str, value: Value| connection.call::<_, Value>(&json!({"type": kind, "value": value})).await;

    for value in
        [json!(null), json!(true), json!(-1.5), json!("é🦀\n\"\\\u{0}"), json!([1, [2]]), json!({"a": {"b": null}})]
    {
        assert_eq!(ask("echo", value.clone()).await?, value);
    }
    assert_eq!(ask("nothing", json!(null)).await?, json!(null));
    assert_eq!(connection.send(Some(Json::of(&json!({"type": "nothing"}))?)).await?, None);
    assert_eq!(connection.send(None).await?.map(|json| json.to_string()).as_deref(), Some("\"nothing was asked\""));

    let plain = failure(ask("fail", json!("no such room")).await);
    assert_eq!((&*plain.message, plain.code, plain.tag), ("no such room", None, None));
    assert_eq!(failure(ask("throw", json!(7)).await).message, "Unknown error");
    assert!(failure(ask("cycle", json!(null)).await).message.contains("cyclic"));

    let (slow, fast) = tokio::join!(ask("slow", json!("slow")), ask("echo", json!("fast")));
    assert_eq!((slow?, fast?), (json!("slow"), json!("fast")));
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.call::<_, u32>(&json!({"type": "echo", "value": number})).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await??, u32::try_from(number)?);
    }
    // What it reads may be long. It knows nothing of deadlines, cancelling and streams, and is not confused by them.
    let long = "é".repeat(200_000);
    let length = connection.call::<_, Value>(&json!({"type": "fail", "value": "long", "more": long})).await;
    assert_eq!(failure(length).message, "long");
    let hasty = connection.with_timeout(Duration::from_millis(200));
    assert!(hasty.call::<_, Value>(&json!({"type": "never"})).await.is_err_and(|error| error.is_timeout()));
    let mut items = connection.stream::<_, Value>(&json!({"type": "echo", "value": 1})).await?;
    assert_eq!(items.next().await.transpose()?, Some(json!(1)));
    assert!(items.next().await.is_none());
    assert_eq!(connection.hello(), None);
    assert_eq!(ask("echo", json!(2)).await?, json!(2));

    // What it answers is cut off at one buffer of the kernel. That is a failure in time here, and not a wait for ever.
    let cut = hasty.call::<_, String>(&json!({"type": "large", "value": 1_000_000})).await;
    assert!(cut.as_ref().is_err_and(RequestError::is_timeout), "{:?}", cut.map(|text| text.len()));

    running.close_stdin();
    assert_eq!(running.wait(SOON)?.code(), Some(0));
    Ok(())
}

#[test]
fn its_server_is_asked_by_the_client_that_blocks() -> Result {
    let dir = TempDir::new()?;
    let path = dir.path().join("daemon.sock");
    let mut running = run("server.ts", &path)?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "listening")?;
    let mut connection = blocking::Connection::connect(&path)?;
    for number in 0..100 {
        assert_eq!(connection.call::<_, u32>(&json!({"type": "echo", "value": number}))?, number);
    }
    assert_eq!(failure(connection.call(&json!({"type": "fail", "value": "no"}))).message, "no");
    let items: Result<Vec<u32>, _> = connection.stream(&json!({"type": "echo", "value": 1}))?.collect();
    assert_eq!(items?, [1]);
    connection.set_timeout(Some(Duration::from_millis(200)));
    assert!(connection.call::<_, ()>(&json!({"type": "never"})).is_err_and(|error| error.is_timeout()));
    assert_eq!(connection.call::<_, u32>(&json!({"type": "echo", "value": 7}))?, 7);
    running.close_stdin();
    assert_eq!(running.wait(SOON)?.code(), Some(0));
    Ok(())
}

#[test]
fn its_client_calls_the_commands_of_a_host() -> Result {
    let dir = TempDir::new()?;
    let mut host = host(&dir)?;
    let mut client = run("host.ts", &dir.path().join("subject/daemon.sock"))?;
    let status = client.wait(SOON)?;
    let said = client.text(Source::Stdout) + &client.text(Source::Stderr);
    assert!(status.success(), "{said}");
    assert_eq!(said, "all 14 are as they should be\n");
    assert_eq!(host.wait(SOON)?.code(), Some(0), "it was asked to end");
    Ok(())
}

/// Lock, PID file and socket are where its functions look, and say what they read.
#[test]
fn its_functions_read_the_lock_and_the_pid_file_of_a_host() -> Result {
    let dir = TempDir::new()?;
    let mut host = host(&dir)?;
    let pid = u32::try_from(host.pid().as_raw_nonzero().get())?;
    let own = dir.path().join("subject");
    let paths = ["", "daemon.sock", "daemon.lock", "daemon.pid"]
        .map(|file| if file.is_empty() { own.clone() } else { own.join(file) });
    let seen = Seen {
        paths: paths.clone(),
        pid: Some(pid),
        alive: true,
        process_alive: true,
        acquired: "LockError".to_owned(),
        started: "ALREADY_RUNNING".to_owned(),
    };
    assert_eq!(look(&dir)?, seen);
    host.signal(Signal::KILL)?;
    host.wait(SOON)?;
    let dead = Seen { alive: false, process_alive: false, acquired: "acquired".to_owned(), ..seen };
    let killed = look(&dir)?;
    // What it makes of a PID file that a dead process left is its own affair.
    assert_eq!(Seen { started: dead.started.clone(), ..killed }, dead);
    Ok(())
}

/// The PID it writes is read; as nobody has the lock of the kernel, it is no obstacle.
#[test]
fn its_lock_file_is_read_and_keeps_nobody_from_starting() -> Result {
    let dir = TempDir::new()?;
    let lock = dir.path().join("subject/daemon.lock");
    std::fs::create_dir(dir.path().join("subject"))?;
    let mut holder = program("instance.ts")?.args(["hold".as_ref(), lock.as_os_str()]).start()?;
    let line = holder.wait_for_line(Source::Stdout, SOON, |line| line.starts_with("held by "))?;
    let pid: u32 = line.trim_start_matches("held by ").parse()?;
    assert_eq!(instance::read_lock_pid(&lock), Some(pid));
    assert!(instance::is_process_alive(pid) && !instance::is_daemon_alive(&lock));
    let mut host = host(&dir)?;
    assert_eq!(instance::read_lock_pid(&lock), Some(u32::try_from(host.pid().as_raw_nonzero().get())?));
    host.signal(Signal::TERM)?;
    assert_eq!(host.wait(SOON)?.code(), Some(0));
    holder.close_stdin();
    holder.wait(SOON)?;
    Ok(())
}
