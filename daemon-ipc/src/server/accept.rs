//! Letting connections in, and ending them all. Owns how many there are and who may come; not what they say.

use super::{
    Service,
    answer::{Address, write_failure},
    connection,
    running::guarded,
    shared::Shared,
};
use crate::{
    Failure, Peer, code,
    outbox::Outbox,
    transport::{Listener, Stream},
};
use std::{
    future::poll_fn,
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    task::{JoinError, JoinSet, unconstrained},
    time::{sleep, timeout},
};

/// How long nothing is accepted after the system had no room for one more connection.
const RECOVERY: Duration = Duration::from_millis(100);

/// How long connections have to end by themselves once their time is up, before they are aborted.
const MARGIN: Duration = Duration::from_millis(250);

pub(super) async fn run(mut listener: Listener, service: Arc<Service>, shutdown: impl Future<Output = ()>) {
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = service.closing.cancelled() => break,
            Some(ended) = tasks.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(stream, peer, &service, &mut tasks),
                Err(error) => recover(&error).await,
            },
        }
    }
    service.closing.cancel();
    close(listener, &service, &mut tasks).await;
}

/// Lets a connection in, or tells it why not.
fn admit(stream: Stream, peer: Peer, service: &Arc<Service>, tasks: &mut JoinSet<()>) {
    if !allows(service, &peer) {
        tracing::warn!(%peer, "an IPC peer is not allowed");
        let failure = Failure::new(format!("this server does not talk to {peer}"));
        return refuse(stream, &failure.with_code(code::FORBIDDEN));
    }
    let most = service.limits.max_connections;
    if tasks.len() >= most {
        tracing::warn!(%peer, most, "an IPC connection is refused: there are too many");
        let failure = Failure::new(format!("this server has {most} connections already; try again later"));
        return refuse(stream, &failure.with_code(code::BUSY));
    }
    let service = Arc::clone(service);
    tasks.spawn(async move {
        let shared = Arc::new(Shared::new(peer, Arc::clone(&service.limits)));
        let _entry = service.connections.enter(&shared);
        if service.closing.is_cancelled() {
            shared.close();
        }
        connection::serve(stream, shared, &service).await;
    });
}

/// Whether a peer may talk. What a policy panics about is not let in.
fn allows(service: &Service, peer: &Peer) -> bool {
    guarded(|| service.policy.allows(peer)).unwrap_or_else(|panic| {
        tracing::error!(%peer, panic, "the policy of an IPC server panicked");
        false
    })
}

/// Says why, as far as that can be said without waiting, and hangs up.
fn refuse(mut stream: Stream, failure: &Failure) {
    let mut outbox = Outbox::default();
    write_failure(&mut outbox, Address { id: None, hello: None }, failure);
    let mut cx = Context::from_waker(Waker::noop());
    if let Poll::Ready(Err(error)) = outbox.poll_write(&mut stream, &mut cx, &mut false) {
        tracing::debug!(%error, "a refused IPC peer did not wait for the reason");
    }
}

/// Waits a little if the system has no room; the connection stays in the queue meanwhile.
async fn recover(error: &io::Error) {
    match error.kind() {
        // It was there and is gone.
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
        _ => {
            tracing::warn!(%error, "cannot accept an IPC connection; trying again");
            sleep(RECOVERY).await;
        }
    }
}

async fn close(mut listener: Listener, service: &Arc<Service>, tasks: &mut JoinSet<()>) {
    listener.withdraw();
    // Those who connected before that are told, too.
    while let Some((stream, peer)) = accepted(&mut listener).await {
        admit(stream, peer, service, tasks);
    }
    drop(listener);
    service.connections.close();
    let most = service.limits.drain_timeout.saturating_add(service.limits.cancel_grace).saturating_add(MARGIN);
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            report(ended);
        }
    };
    if timeout(most, all).await.is_err() {
        tracing::warn!(connections = tasks.len(), "IPC connections are aborted: they do not end");
        tasks.shutdown().await;
    }
}

/// The next connection, if there is one already.
async fn accepted(listener: &mut Listener) -> Option<(Stream, Peer)> {
    // However many there are: that a task has accepted as many as it may in one turn does not mean that there are no others.
    let mut accept = pin!(unconstrained(listener.accept()));
    poll_fn(|cx| match accept.as_mut().poll(cx) {
        Poll::Ready(Ok(accepted)) => Poll::Ready(Some(accepted)),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the task of an IPC connection panicked");
    }
}
