//! What those hear who subscribe to a host's events.

use crate::{Failure, Json, Reply, Request, code, command::Published};
use daemon_core::{HostHandle, Tapped};
use std::time::UNIX_EPOCH;

/// How many events are written as JSON at once.
const BATCH: usize = 64;

/// Tells of the events on the topics that `pattern` selects until the host has stopped, or nobody wants to hear more.
pub(super) async fn tell(host: &HostHandle, pattern: &str, request: &mut Request) -> Result<Reply, Failure> {
    let mut given_up = std::pin::pin!(request.cancelled());
    let mut items = request.items()?;
    let mut tap = host.tap(pattern).map_err(|error| Failure::from(error).with_code(code::BAD_REQUEST))?;
    loop {
        let first = tokio::select! {
            biased;
            () = &mut given_up => return Err(Failure::new("the request was given up").with_code(code::CANCELLED)),
            tapped = tap.recv() => tapped,
        };
        let Some(first) = first else { return Ok(Reply::empty()) };
        let mut batch = vec![first];
        batch.extend(std::iter::from_fn(|| tap.try_recv()).take(BATCH - 1));
        // Writing an event as JSON is its own code.
        let Some(batch) = host.on_workers(move || batch.iter().map(written).collect::<Vec<_>>()).await else {
            return Err(Failure::new("an event cannot be written: its code panicked").with_code(code::PANICKED));
        };
        for event in &batch {
            items.send(event).await?;
        }
    }
}

fn written(Tapped { missed, event, .. }: &Tapped) -> Published {
    let time = event.published_at().duration_since(UNIX_EPOCH).unwrap_or_default();
    let payload = event.to_json().and_then(Result::ok);
    Published {
        topic: event.topic().to_owned(),
        time: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        publisher: event.publisher().to_owned(),
        payload: payload.and_then(|payload| Json::of(&payload).ok()),
        missed: *missed,
    }
}
