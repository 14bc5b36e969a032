//! What one viewer is sent: server-sent events.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::feed::{Feed, Look};
use crate::millis;

/// After how long in silence a sign of life is sent.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// One who looks, and how far it has come.
pub(in crate::http) struct Viewer {
    feed: Arc<Feed>,
    versions: watch::Receiver<u64>,
    seen: u64,
    events: u64,
    logs: u64,
    greeted: bool,
    closing: CancellationToken,
    _look: Look,
}

impl Viewer {
    pub(in crate::http) fn new(feed: &Arc<Feed>, look: Look, closing: CancellationToken) -> Self {
        let versions = feed.versions();
        Self { feed: Arc::clone(feed), versions, seen: 0, events: 0, logs: 0, greeted: false, closing, _look: look }
    }

    /// What is sent, until the endpoint stops.
    pub(in crate::http) fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        unfold(Some(self), |viewer| async move {
            let mut viewer = viewer?;
            match viewer.next().await {
                Some(text) => Some((Ok(text.into()), Some(viewer))),
                // The page connects again after a while, and finds the next start of the program.
                None => Some((Ok(Bytes::from_static(b"event: bye\ndata: {}\n\n")), None)),
            }
        })
    }

    /// The next thing to send; `None` when the endpoint stops.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.greeted, true) {
            let now = millis::after_1970(SystemTime::now());
            return Some(format!("retry: 2000\ndata: [\"now\",{now}]\n\n"));
        }
        loop {
            let changed = tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                changed = timeout(SIGN_OF_LIFE, self.versions.changed()) => changed,
            };
            let Ok(changed) = changed else { return Some(": still here\n\n".to_owned()) };
            changed.ok()?;
            let text = self.news();
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// What this viewer has not seen.
    fn news(&mut self) -> String {
        let mut text = String::new();
        {
            let told = self.feed.told();
            for (name, json) in told.newer(self.seen) {
                push(&mut text, &name, &json);
            }
            if let Some(events) = told.events.since(self.events) {
                push(&mut text, "events", &events);
            }
            (self.seen, self.events) = (told.version, told.events.next());
        }
        if let Some(logs) = &self.feed.logs {
            let logs = logs.tail();
            if let Some(lines) = logs.since(self.logs) {
                push(&mut text, "logs", &lines);
            }
            self.logs = logs.next();
        }
        text
    }
}

/// One event: the part's name, and its JSON, which has no line breaks.
fn push(text: &mut String, name: &str, json: &str) {
    // The name goes into the data, so that a page listens once and not for each daemon.
    let name = serde_json::Value::from(name);
    text.push_str(&format!("data: [{name},{json}]\n\n"));
}
