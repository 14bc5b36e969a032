//! What a page sees live.

use daemon_health::http::{LogLine, LogTail};

use super::client::Client;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_sent_what_is_there_then_what_changes_then_the_end() {
    let logs = LogTail::new();
    logs.push(LogLine::now("WARN", "store", "nearly full"));
    let (host, at) = start(endpoint().log_tail(logs), Store::default()).await;
    let mut viewer = Client::connect(at).await;
    viewer.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let first = viewer.until("nearly full").await;
    assert!(first.contains("content-type: text/event-stream"), "{first}");
    assert!(first.contains("data: [\"daemon/store\",{\"name\":\"store\",\"state\":\"running\""), "{first}");
    assert!(first.contains("data: [\"probes\",[{\"kind\":\"liveness\",\"failures\":[]}"), "{first}");

    host.handle().publish(UserCreated { name: "Ada".to_owned() }).await.unwrap();
    let event = viewer.until("data:users:created").await;
    let event = if event.contains("Ada") { event } else { event + &viewer.until("Ada").await };
    assert!(event.contains(r#""publisher":"host","payload":"{\"name\":\"Ada\"}""#), "{event}");

    host.handle().stop_daemon("store").await.unwrap();
    viewer.until("\"name\":\"store\",\"state\":\"stopped\"").await;
    let report = tokio::spawn(async move { host.shutdown().await.unwrap() });
    viewer.until("event: bye\n").await;
    assert_eq!(report.await.unwrap().exit_code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_viewers_are_sent_the_same() {
    let (host, at) = start(endpoint(), Store::default()).await;
    let mut viewers = [Client::connect(at).await, Client::connect(at).await];
    for viewer in &mut viewers {
        viewer.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        viewer.until("[\"daemon/store\"").await;
    }
    host.handle().stop_daemon("store").await.unwrap();
    for viewer in &mut viewers {
        viewer.until("\"name\":\"store\",\"state\":\"stopped\"").await;
    }
    host.shutdown().await.unwrap();
}
