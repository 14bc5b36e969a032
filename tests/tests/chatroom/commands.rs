//! Commands, asked for the way a person does it: by a message to a persona, answered in the log.

use std::io::{Read, Write};
use std::net::TcpListener;

use daemon_ipc::blocking::Connection;
use serde_json::Value;
use tests::{Running, Signal, Source};

use crate::run::{PATIENCE, Place};

/// A running program whose personas listen.
fn start(place: &Place, upstream: &str) -> Running {
    let running = place.program().args(["--upstream", upstream]).start().unwrap();
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("14 personas listen")).unwrap();
    running
}

/// Asks a persona and waits for an answer that has all of these words.
fn ask(running: &mut Running, message: &str, answer: &[&str]) {
    running.write(format!("{message}\n").as_bytes()).unwrap();
    let wanted = |line: &str| line.contains(" says: ") && answer.iter().all(|word| line.contains(word));
    running.wait_for_line(Source::Stderr, PATIENCE, wanted).unwrap();
}

fn stop(running: &mut Running, place: &Place) {
    running.signal(Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
    place.report().check_clean();
}

#[test]
fn every_daemon_answers_its_commands() {
    let place = Place::with_files(3);
    let mut running = start(&place, "http://127.0.0.1:1");
    place.wait_for_rows("SELECT 1 FROM code_index", 3);
    ask(&mut running, "@ada health ping", &["ada", "\"pong\""]);
    ask(&mut running, "attic: @grace health status", &["attic: grace", "\"room-membership\":\"running\""]);
    ask(&mut running, "@ada health metrics", &["resident_bytes", "uptime_ms"]);
    ask(&mut running, "@ada data count", &["\"code_index\":3", "\"users\":15"]);
    ask(&mut running, "@ada code progress", &["\"files\":3", "\"is_complete\":true"]);
    ask(&mut running, "@ada user personas", &["\"id\":\"radia\""]);
    ask(&mut running, "@ada session list", &["\"user\":\"you\""]);
    ask(&mut running, "@ada room-membership members", &["\"attic\":15", "\"academy\":14"]);
    ask(&mut running, "@ada events traffic", &["per_second"]);
    ask(&mut running, "@ada console tail 1000", &["14 personas listen"]);
    ask(&mut running, "@ada training examples", &["says: 0"]);
    ask(&mut running, "@ada command list", &["health ping", "lease acquire", "proxy fetch"]);
    ask(&mut running, "@ada command dance", &["no command `command dance`"]);
    ask(&mut running, "@ada console tail \"many\"", &["the request does not fit the command"]);
    stop(&mut running, &place);
}

#[test]
fn a_lease_has_one_holder_and_is_stored() {
    let place = Place::with_files(0);
    let mut running = start(&place, "http://127.0.0.1:1");
    ask(&mut running, r#"@ada lease acquire {"path": "a.rs", "holder": "ada", "seconds": 600}"#, &["\"expires_ms\""]);
    let other = r#"{"path": "a.rs", "holder": "alan", "seconds": 600}"#;
    ask(&mut running, &format!("@alan lease acquire {other}"), &["`a.rs` is leased to ada for another 600 s"]);
    assert_eq!(place.rows("SELECT holder FROM leases"), ["ada"]);
    ask(&mut running, r#"@ada lease release {"path": "a.rs", "holder": "alan"}"#, &["ada says: false"]);
    ask(&mut running, r#"@ada lease release {"path": "a.rs", "holder": "ada"}"#, &["ada says: true"]);
    ask(&mut running, &format!("@alan lease acquire {other}"), &["\"holder\":\"alan\""]);
    stop(&mut running, &place);

    // The lease survives the run.
    let mut running = start(&place, "http://127.0.0.1:1");
    ask(&mut running, "@ada lease list", &["\"holder\":\"alan\"", "a.rs"]);
    stop(&mut running, &place);
}

#[test]
fn an_expired_lease_is_swept_away() {
    let place = Place::with_files(0);
    let mut running = start(&place, "http://127.0.0.1:1");
    ask(&mut running, r#"@ada lease acquire {"path": "a.rs", "holder": "ada", "seconds": 0}"#, &["\"expires_ms\""]);
    place.wait_for_rows("SELECT 1 FROM leases", 0);
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("1 leases expired")).unwrap();
    stop(&mut running, &place);
}

#[test]
fn the_proxy_forwards_and_gives_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            if request[..length].starts_with(b"GET /hello ") {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nworld").unwrap();
            } else {
                silent.push(stream);
            }
        }
        silent
    });
    let place = Place::with_files(0);
    let mut running = start(&place, &upstream);
    ask(&mut running, r#"@ada proxy fetch {"path": "/hello"}"#, &["\"status\":200", "\"body\":\"world\""]);
    let slow = r#"@ada proxy fetch {"path": "/slow", "within_ms": 100}"#;
    ask(&mut running, slow, &["did not answer within 100ms"]);
    stop(&mut running, &place);
    drop(server.join().unwrap());
}

#[test]
fn a_dataset_is_told_at_every_fifty_examples_over_all_runs() {
    let place = Place::with_files(0);
    let lines = |count: usize| "general: one of ten\n".repeat(count);
    let told = |running: &Running| -> Vec<String> {
        let said = running.text(Source::Stderr);
        let told = said.lines().filter_map(|line| line.strip_suffix(" training examples: a dataset is ready"));
        told.filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
    };
    let mut running = start(&place, "http://127.0.0.1:1");
    running.write(lines(1_200).as_bytes()).unwrap();
    place.wait_for_rows("SELECT 1 FROM training_examples", 120);
    stop(&mut running, &place);
    assert_eq!(told(&running), ["50", "100"]);

    // The examples of the first run count in the second.
    let mut running = start(&place, "http://127.0.0.1:1");
    running.write(lines(300).as_bytes()).unwrap();
    place.wait_for_rows("SELECT 1 FROM training_examples", 150);
    stop(&mut running, &place);
    assert_eq!(told(&running), ["150"]);
}

#[test]
fn a_session_is_saved_at_the_end_and_known_to_the_next_run() {
    let place = Place::with_files(0);
    let mut running = start(&place, "http://127.0.0.1:1");
    let begun = "SELECT 1 FROM sessions WHERE user = 'you' AND seen_ms = started_ms";
    place.wait_for_rows(begun, 1);
    ask(&mut running, "@ada health ping", &["\"pong\""]);
    // Only the end stores when it was seen last.
    place.wait_for_rows(begun, 1);
    stop(&mut running, &place);
    let saved = place.rows("SELECT id FROM sessions WHERE user = 'you' AND seen_ms > started_ms");
    assert_eq!(saved.len(), 1);

    let mut running = start(&place, "http://127.0.0.1:1");
    ask(&mut running, "@ada session list", &[&saved[0]]);
    stop(&mut running, &place);
    assert_eq!(place.rows("SELECT id FROM sessions").len(), 2);
}

#[test]
fn other_processes_call_the_same_commands_and_hear_the_same_events() {
    let place = Place::with_files(0);
    let dir = place.path("run");
    let mut running = place.program().runtime_dir(&dir).args(["--upstream", "http://127.0.0.1:1"]).start().unwrap();
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("14 personas listen")).unwrap();
    let socket = dir.join("chatroom/daemon.sock");
    let mut connection = Connection::connect(&socket).unwrap();
    assert_eq!(connection.call_command::<_, String>("health", "ping", &()).unwrap(), "pong");
    let personas: Vec<Value> = connection.call_command("user", "personas", &()).unwrap();
    assert_eq!(personas.len(), 14);
    let lease = serde_json::json!({"path": "a.rs", "holder": "alan", "seconds": 600});
    let _: Value = connection.call_command("lease", "acquire", &lease).unwrap();
    let other = serde_json::json!({"path": "a.rs", "holder": "ada", "seconds": 600});
    let refused = connection.call_command::<_, Value>("lease", "acquire", &other).unwrap_err();
    assert!(refused.to_string().starts_with("the command failed: `a.rs` is leased to alan"), "{refused}");

    let mut events = connection.subscribe("data:chat_messages:created").unwrap();
    // Written until one is heard: nothing tells when the subscription is there.
    let heard = std::thread::scope(|scope| {
        let heard = scope.spawn(move || events.next().unwrap().unwrap());
        while !heard.is_finished() {
            running.write(b"attic: is somebody there?\n").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        heard.join().unwrap()
    });
    assert_eq!(heard.publisher, "data");
    assert_eq!(heard.payload.unwrap().read::<Value>().unwrap()["room"], "attic");
    stop(&mut running, &place);
    assert_eq!(std::fs::read_dir(dir.join("chatroom")).unwrap().count(), 0, "neither socket nor lock is left");
}
