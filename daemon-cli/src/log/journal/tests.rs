//! A journal of our own, which reads what is sent as the real one does.

use std::collections::BTreeMap;
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

type Fields = BTreeMap<String, String>;

/// Logs, and gives what came of it.
fn logged(log: impl FnOnce()) -> Vec<Fields> {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let journal = Journal::at(&path, "shop").unwrap();
    with_default(tracing_subscriber::registry().with(journal), log);
    socket.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| receive(&socket)).map(|bytes| read(&bytes)).collect()
}

/// One entry: the datagram, or the file that comes with it.
fn receive(socket: &UnixDatagram) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 1 << 20];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let came = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty()).ok()?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            let mut text = Vec::new();
            for file in files {
                let mut file = std::fs::File::from(file);
                std::io::Seek::rewind(&mut file).unwrap();
                file.read_to_end(&mut text).unwrap();
            }
            return Some(text);
        }
    }
    bytes.truncate(came.bytes);
    Some(bytes)
}

fn read(mut bytes: &[u8]) -> Fields {
    let mut fields = Fields::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let line = &bytes[..end];
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (name, value) = match line.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                bytes = &bytes[end + 1..];
                (text(&line[..at]), text(&line[at + 1..]))
            }
            None => {
                let length = u64::from_le_bytes(bytes[end + 1..end + 9].try_into().unwrap()) as usize;
                let value = text(&bytes[end + 9..end + 9 + length]);
                bytes = &bytes[end + 9 + length + 1..];
                (text(line), value)
            }
        };
        assert!(fields.insert(name, value).is_none(), "one of each");
    }
    fields
}

#[test]
fn an_event_has_its_level_its_daemon_and_its_fields() {
    let entries = logged(|| {
        let daemon = tracing::error_span!("daemon", name = "store");
        let topic = "data:users:created";
        daemon.in_scope(|| {
            tracing::info!("running");
            let event = tracing::debug_span!(
                "event",
                handler = "created",
                otel.name = "process",
                messaging.system = "daemon_core",
                messaging.destination.name = topic
            );
            event.in_scope(|| tracing::error!(attempt = 2, handler = "another", priority = "high", "no\nroom"));
        });
        tracing::debug!("of nobody");
    });
    let [running, failed, nobody] = &entries[..] else { panic!("{entries:#?}") };
    let expect = |of: &Fields, all: &[(&str, &str)]| {
        for (name, value) in all {
            assert_eq!(of.get(*name).map(String::as_str), Some(*value), "{name} of {of:#?}");
        }
    };
    expect(running, &[("MESSAGE", "store: running"), ("PRIORITY", "6"), ("DAEMON", "store")]);
    expect(running, &[("SYSLOG_IDENTIFIER", "shop"), ("TARGET", module_path!()), ("CODE_FILE", file!())]);
    expect(failed, &[("MESSAGE", "store: no\nroom attempt=2 handler=another priority=high"), ("PRIORITY", "3")]);
    expect(failed, &[("EVENT", "data:users:created"), ("ATTEMPT", "2"), ("F_PRIORITY", "high")]);
    expect(failed, &[("HANDLER", "another")]);
    assert!(failed.keys().all(|name| !name.starts_with("OTEL") && !name.starts_with("MESSAGING")), "{failed:#?}");
    expect(nobody, &[("MESSAGE", "of nobody"), ("PRIORITY", "7")]);
    assert!(!nobody.contains_key("DAEMON"));
}

#[test]
fn what_is_too_long_for_a_datagram_comes_as_a_file() {
    let long = "x".repeat(3 << 20);
    let entries = logged(|| tracing::warn!("{long}"));
    assert_eq!((entries.len(), entries[0]["MESSAGE"].len()), (1, long.len()));
}

#[test]
fn a_journal_that_takes_nothing_holds_nobody_up_and_is_told_later() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let journal = Journal::at(&path, "shop").unwrap();
    with_default(tracing_subscriber::registry().with(journal), || {
        // Far more than the socket takes.
        (0..5_000).for_each(|number| tracing::info!("{number}"));
        socket.set_nonblocking(true).unwrap();
        let taken = std::iter::from_fn(|| receive(&socket)).count();
        assert!(taken < 5_000);
        tracing::info!("there again");
        let entries: Vec<_> = std::iter::from_fn(|| receive(&socket)).map(|bytes| read(&bytes)).collect();
        let told: Vec<_> = entries.iter().map(|entry| entry["MESSAGE"].as_str()).collect();
        let lost = format!("{} lines are lost: the journal did not take them", 5_000 - taken);
        assert_eq!(told, ["there again", &lost]);
    });
}

#[test]
fn a_journal_that_was_started_anew_is_found() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let journal = Journal::at(&path, "shop").unwrap();
    std::fs::remove_file(&path).unwrap();
    drop(socket);
    with_default(tracing_subscriber::registry().with(journal), || {
        tracing::info!("lost");
        let socket = UnixDatagram::bind(&path).unwrap();
        tracing::info!("there");
        assert_eq!(read(&receive(&socket).unwrap())["MESSAGE"], "there");
    });
    assert!(Journal::at(&path.join("nowhere"), "shop").is_err());
}

#[test]
fn a_stream_leads_to_the_journal_only_if_it_is_the_one_that_is_told_of() {
    let file = tempfile::tempfile().unwrap();
    let stat = rustix::fs::fstat(&file).unwrap();
    assert!(leads_to_the_journal(&format!("{}:{}", stat.st_dev, stat.st_ino), &file));
    for told in ["", "1:2", "x"] {
        assert!(!leads_to_the_journal(told, &file), "{told}");
    }
}
