//! `widget`: renders the live status line, where there is a terminal to render it on.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Result, daemon};

use super::events::StormNews;
use crate::chaos::Strike;
use crate::entity::{ChatMessage, CodeFile, Created, Deleted, Room, User, UserKind};
use crate::terminal;

#[daemon(name = "widget")]
#[derive(Default)]
pub(crate) struct WidgetDaemon {
    is_shown: bool,
    seen: Seen,
    storm: Mutex<Option<String>>,
}

/// What went by.
#[derive(Debug, Default)]
struct Seen {
    messages: AtomicU64,
    files: AtomicI64,
    rooms: AtomicU64,
    personas: AtomicU64,
}

#[daemon]
impl WidgetDaemon {
    #[on_event]
    fn message(&self, _: &Created<ChatMessage>) {
        self.seen.messages.fetch_add(1, Ordering::Relaxed);
    }

    #[on_event]
    fn file(&self, _: &Created<CodeFile>) {
        self.seen.files.fetch_add(1, Ordering::Relaxed);
    }

    #[on_event]
    fn file_gone(&self, _: &Deleted<CodeFile>) {
        self.seen.files.fetch_sub(1, Ordering::Relaxed);
    }

    #[on_event]
    fn room(&self, _: &Created<Room>) {
        self.seen.rooms.fetch_add(1, Ordering::Relaxed);
    }

    #[on_event]
    fn user(&self, user: &Created<User>) {
        self.seen.personas.fetch_add(u64::from(user.kind == UserKind::Persona), Ordering::Relaxed);
    }

    #[on_event]
    fn storm(&self, news: &StormNews) {
        let mut storm = self.storm.lock().unwrap_or_else(PoisonError::into_inner);
        if news.began {
            *storm = Some(news.topic.clone());
        } else if storm.as_deref() == Some(&news.topic) {
            *storm = None;
        }
    }

    #[every("250ms")]
    fn render(&self, cx: &Context) {
        if self.is_shown {
            terminal::set_status(self.line(cx.host().status().uptime));
        }
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for WidgetDaemon {
    async fn cleanup(&self, _: &Context) -> Result<()> {
        terminal::set_status(String::new());
        Ok(())
    }
}

impl WidgetDaemon {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { is_shown: !quiet && terminal::is_terminal(), ..Self::default() }
    }

    fn line(&self, uptime: Duration) -> String {
        let Seen { messages, files, rooms, personas } = &self.seen;
        let mut line = format!(
            "{} s · {} messages · {} files · {} new rooms · {} new personas",
            uptime.as_secs(),
            messages.load(Ordering::Relaxed),
            files.load(Ordering::Relaxed),
            rooms.load(Ordering::Relaxed),
            personas.load(Ordering::Relaxed),
        );
        if let Some(topic) = self.storm.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            // Writing to a string does not fail.
            write!(line, " · storm: {topic}").ok();
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_went_by() {
        let widget = WidgetDaemon::default();
        widget.seen.messages.store(3, Ordering::Relaxed);
        widget.storm(&StormNews { topic: "data:code_index:created".into(), began: true });
        let line = widget.line(Duration::from_millis(12_700));
        assert_eq!(line, "12 s · 3 messages · 0 files · 0 new rooms · 0 new personas · storm: data:code_index:created");
    }
}
