//! `session`: who is connected. Standard input is a session too, and this daemon reads it: every line becomes a chat
//! message of the user `you`.
//!
//! 1. Lines are stored in their order; a line is accepted when its row is committed.
//! 2. At stop, what was handed over is stored before the daemon ends; the first line that is not is named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Result, State, daemon};
use thiserror::Error;

use super::DataDaemon;
use super::data::Written;
use crate::chaos::Strike;
use crate::entity::{ChatMessage, Deleted, Room, Session, Status, User, UserKind, now_ms};
use crate::input::{Input, Line};
use crate::message::parse;
use crate::store::StoreError;

/// The user on standard input.
const YOU: &str = "you";
/// A session without a sign of life for this long is over.
const EXPIRY: Duration = Duration::from_secs(30 * 60);

#[daemon(name = "session", requires(DataDaemon))]
#[derive(Default)]
pub(crate) struct SessionDaemon {
    sessions: Mutex<BTreeMap<String, Session>>,
    rooms: Mutex<BTreeSet<String>>,
    /// The session of standard input.
    own: OnceLock<String>,
    /// One reader for the whole process, whatever becomes of this daemon.
    input: OnceLock<Input>,
    /// Lines that were taken and are not stored yet.
    unstored: Mutex<Vec<Line>>,
    lines: AtomicU64,
    lossy: AtomicU64,
}

#[derive(Debug, Error)]
#[error("lines from {first} on of standard input are not stored")]
struct Unstored {
    first: u64,
    source: StoreError,
}

#[daemon]
impl SessionDaemon {
    /// Stores what comes on standard input until it ends or the daemon does.
    #[task(finite)]
    async fn standard_input(&self, cx: &Context) -> Result<()> {
        let Some(input) = self.input.get() else { return Ok(()) };
        self.store(cx, Vec::new()).await?;
        loop {
            let lines = tokio::select! {
                lines = input.take() => lines,
                () = cx.cancelled() => break,
            };
            let Some(lines) = lines else {
                tracing::info!("standard input ended after {} lines", self.lines.load(Ordering::Relaxed));
                return Ok(());
            };
            self.store(cx, lines).await?;
        }
        if cx.host().status().state != State::Stopping {
            // Only this daemon ends, to be started anew; what is queued waits for that.
            return Ok(());
        }
        input.close().await;
        while let Some(lines) = input.take().await {
            self.store(cx, lines).await?;
        }
        if let Some(line) = input.turned_away() {
            tracing::info!("standard input goes on, but lines from {line} on are not taken any more");
        }
        Ok(())
    }

    #[on_event]
    fn user_deleted(&self, user: &Deleted<User>) {
        self.sessions().retain(|_, session| session.user != user.id);
    }

    /// Ends sessions without a sign of life.
    #[every("5m", name = "session-cleanup")]
    async fn expire(&self, cx: &Context) -> Result<()> {
        let oldest = now_ms().saturating_sub(EXPIRY.as_millis() as u64);
        let own = self.own.get();
        let expired: Vec<String> = {
            let sessions = self.sessions();
            let over = sessions.values().filter(|session| session.seen_ms < oldest && Some(&session.id) != own);
            over.map(|session| session.id.clone()).collect()
        };
        if !expired.is_empty() {
            cx.daemon::<DataDaemon>().delete::<Session>(cx, &expired).await?;
            self.sessions().retain(|id, _| !expired.contains(id));
            tracing::info!("{} sessions expired", expired.len());
        }
        Ok(())
    }

    /// The sessions there are.
    #[command]
    fn list(&self) -> Result<Vec<Session>> {
        Ok(self.sessions().values().cloned().collect())
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for SessionDaemon {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let data = cx.daemon::<DataDaemon>();
        let known = data.all::<Session>().await?;
        self.sessions().extend(known.into_iter().map(|session| (session.id.clone(), session)));
        let rooms = data.keys::<Room>(None).await?;
        self.rooms().extend(rooms);

        let now = now_ms();
        let id = self.own.get_or_init(|| format!("{YOU}-{now}-{}", std::process::id()));
        let session = Session { id: id.clone(), user: YOU.to_owned(), started_ms: now, seen_ms: now };
        data.ensure(cx, std::slice::from_ref(&session)).await?;
        self.sessions().insert(id.clone(), session);
        let (id, display_name) = (YOU.to_owned(), "You".to_owned());
        data.ensure(cx, &[User { id, display_name, kind: UserKind::Human, status: Status::Online }]).await?;

        if self.input.get().is_none() {
            let input = Input::read(std::io::stdin())?;
            self.input.get_or_init(|| input);
        }
        Ok(())
    }

    /// Saves the sessions, so that the next run knows them.
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let sessions: Vec<Session> = self.sessions().values().cloned().collect();
        cx.daemon::<DataDaemon>().put(cx, &sessions).await?;
        Ok(())
    }
}

impl SessionDaemon {
    /// Stores lines as messages, after those that could not be stored before. Whenever it is given up, what it took stays for the next
    /// time, and under the same ids: what was committed meanwhile is there once.
    async fn store(&self, cx: &Context, lines: Vec<Line>) -> Result<()> {
        self.tell_lossy(&lines);
        let first = {
            let mut all = self.unstored();
            all.extend(lines);
            all.first().map(|line| line.number)
        };
        let Some(first) = first else { return Ok(()) };
        let written = self.store_messages(cx).await.map_err(|source| Unstored { first, source })?;
        written.announced().await;
        Ok(())
    }

    /// Stores the lines that wait as messages, the rooms they name first.
    async fn store_messages(&self, cx: &Context) -> Result<Written, StoreError> {
        let own = self.own.get().map_or("", String::as_str);
        let now = now_ms();
        let number = self.lines.load(Ordering::Relaxed);
        let messages: Vec<ChatMessage> = (number + 1..)
            .zip(&*self.unstored())
            .map(|(number, line)| {
                let (room, text) = parse(&line.text);
                let (room, text, sender) = (room.to_owned(), text.to_owned(), YOU.to_owned());
                ChatMessage { id: format!("{own}-{number}"), room, sender, text, sent_ms: now }
            })
            .collect();
        self.ensure_rooms(cx, &messages).await?;
        let written = cx.daemon::<DataDaemon>().put(cx, &messages).await?;
        self.unstored().drain(..messages.len());
        self.lines.store(number + messages.len() as u64, Ordering::Relaxed);
        if let Some(session) = self.sessions().get_mut(own) {
            session.seen_ms = now;
        }
        Ok(written)
    }

    async fn ensure_rooms(&self, cx: &Context, messages: &[ChatMessage]) -> Result<(), StoreError> {
        let unknown: BTreeSet<&str> = {
            let known = self.rooms();
            messages.iter().map(|message| message.room.as_str()).filter(|room| !known.contains(*room)).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let room = |id: &&str| Room { id: (*id).to_owned(), members: Vec::new(), created_ms: now_ms() };
        let rooms: Vec<Room> = unknown.iter().map(room).collect();
        cx.daemon::<DataDaemon>().ensure(cx, &rooms).await?;
        self.rooms().extend(rooms.into_iter().map(|room| room.id));
        Ok(())
    }

    /// Tells of the first line with bytes that are no text; the others are only counted.
    fn tell_lossy(&self, lines: &[Line]) {
        let mut lossy = lines.iter().filter(|line| line.lossy);
        if let Some(first) = lossy.next() {
            let more = lossy.count() as u64 + 1;
            if self.lossy.fetch_add(more, Ordering::Relaxed) == 0 {
                let number = first.number;
                tracing::warn!(
                    "line {number} of standard input is not UTF-8: it is stored with `\u{FFFD}` for the bytes that are no \
                     text, as is every later one"
                );
            }
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unstored(&self) -> MutexGuard<'_, Vec<Line>> {
        self.unstored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rooms(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::testing::{hold, start, stop, until};

    /// A daemon whose standard input has ended.
    fn daemon() -> Result<SessionDaemon> {
        let daemon = SessionDaemon::default();
        daemon.input.set(Input::read(std::io::empty())?).unwrap();
        Ok(daemon)
    }

    fn session(id: &str, silent: Duration) -> Session {
        let seen_ms = now_ms() - silent.as_millis() as u64;
        Session { id: id.to_owned(), user: "ada".to_owned(), started_ms: 0, seen_ms }
    }

    /// Lends its context to a test.
    #[daemon(name = "lender", requires(DataDaemon, SessionDaemon), no_handlers)]
    #[derive(Default)]
    struct Lender(Mutex<Option<Context>>);

    impl DaemonBase for Lender {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            *self.0.lock().unwrap() = Some(cx.clone());
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_line_is_stored_once_wherever_its_storing_was_given_up() {
        let host = start(|host| host.daemon_with(daemon).daemon(Lender::default())).await;
        let cx = host.daemon::<Lender>().0.lock().unwrap().clone().unwrap();
        let (session, data) = (host.daemon::<SessionDaemon>(), host.daemon::<DataDaemon>());
        let line = |number: u64| Line { number, text: format!("room-{number}: line {number}"), lossy: false };
        let (mut given_up, mut sent) = (0, 0);
        // The n-th is given up after n polls; a room that is new each time makes it wait in every place.
        hold(async {
            for polls in 0..200 {
                sent += 1;
                let mut storing = std::pin::pin!(session.store(&cx, vec![line(sent)]));
                let mut left = polls;
                given_up += u64::from(
                    std::future::poll_fn(|task| {
                        left -= 1;
                        match storing.as_mut().poll(task) {
                            Poll::Ready(stored) => Poll::Ready(stored.is_err()),
                            Poll::Pending if left < 0 => Poll::Ready(true),
                            Poll::Pending => {
                                task.waker().wake_by_ref();
                                Poll::Pending
                            }
                        }
                    })
                    .await,
                );
            }
        })
        .await;
        assert!(given_up > 0);
        hold(session.store(&cx, Vec::new())).await.unwrap();
        let texts: Vec<_> = hold(data.all::<ChatMessage>()).await.unwrap().into_iter().map(|row| row.text).collect();
        assert_eq!(texts, (1..=sent).map(|number| format!("line {number}")).collect::<Vec<_>>());
        stop(host).await;
    }

    #[tokio::test]
    async fn sessions_are_saved_at_the_end_and_expire_when_they_fall_silent() {
        let minute = Duration::from_secs(60);
        let host = start(|host| host.daemon_with(daemon)).await;
        let data = host.daemon::<DataDaemon>();
        let stored = async || {
            let mut ids: Vec<String> = hold(data.keys::<Session>(None)).await.unwrap();
            ids.retain(|id| ["lively", "silent"].contains(&id.as_str()));
            ids
        };

        // A life of the daemon leaves its sessions to the next one.
        let first = host.daemon::<SessionDaemon>();
        for session in [session("lively", 29 * minute), session("silent", 31 * minute)] {
            first.sessions().insert(session.id.clone(), session);
        }
        assert!(stored().await.is_empty());
        hold(host.handle().restart_daemon("session")).await.unwrap();
        assert_eq!(stored().await, ["lively", "silent"]);
        let second = host.daemon::<SessionDaemon>();
        assert!(second.sessions().contains_key("silent"));

        // Standard input may be silent as long as it likes.
        let own = second.own.get().unwrap();
        second.sessions().get_mut(own).unwrap().seen_ms = 0;
        host.advance("299s").await;
        host.expect_ticks("session-cleanup", 0);
        host.advance("1s").await;
        until("expired", async || !second.sessions().contains_key("silent")).await;
        assert_eq!(stored().await, ["lively"]);
        assert!(second.sessions().contains_key(own));
        stop(host).await;
    }
}
