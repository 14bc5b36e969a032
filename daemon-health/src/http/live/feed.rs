//! Keeps what is told up to date while somebody looks.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use daemon_core::{Context, HostHandle, Result, Tap, Tapped};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::tail::{LogTail, Tail, clip};
use super::view::{self, Part};
use crate::http::verdict::Verdicts;
use crate::millis;

/// How many events are kept for who comes later.
const EVENTS: usize = 100;
/// How many events of one refresh are told one by one; of the others only how many there were.
const EVENTS_AT_ONCE: usize = 25;
/// How many bytes of an event are told.
const PAYLOAD: usize = 400;
/// How much time there is between two refreshes at least.
const LEAST: Duration = Duration::from_millis(1);
/// How long the workers have to write events as JSON, before these are told without.
const WRITING: Duration = Duration::from_secs(1);

/// What is told, and how new each part is.
#[derive(Debug)]
pub(in crate::http) struct Told {
    /// How often it was refreshed.
    pub(super) version: u64,
    parts: HashMap<String, (u64, Arc<str>)>,
    pub(super) events: Tail,
}

/// What is seen live, shared by all who look.
pub(in crate::http) struct Feed {
    told: Mutex<Told>,
    version: watch::Sender<u64>,
    viewers: AtomicUsize,
    looks: watch::Sender<bool>,
    pub(super) logs: Option<LogTail>,
}

/// An event as the page shows it.
#[derive(Serialize)]
struct Seen {
    at: u64,
    topic: String,
    publisher: String,
    payload: Option<String>,
    /// How many before it are not shown.
    missed: u64,
}

/// Somebody who looks.
pub(in crate::http) struct Look(Arc<Feed>);

impl Drop for Look {
    fn drop(&mut self) {
        if self.0.viewers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.looks.send_replace(false);
        }
    }
}

impl Feed {
    pub(in crate::http) fn new(logs: Option<LogTail>) -> Arc<Self> {
        let told = Told { version: 0, parts: HashMap::new(), events: Tail::new(EVENTS) };
        Arc::new(Self {
            told: Mutex::new(told),
            version: watch::Sender::new(0),
            viewers: AtomicUsize::new(0),
            looks: watch::Sender::new(false),
            logs,
        })
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks, if no more than `most` do then.
    pub(in crate::http) fn look(self: &Arc<Self>, most: usize) -> Option<Look> {
        let more = |viewers: usize| (viewers < most).then_some(viewers + 1);
        self.viewers.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        self.looks.send_replace(true);
        Some(Look(Arc::clone(self)))
    }

    /// Told at each refresh.
    pub(super) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Refreshes what is told while somebody looks, until the daemon stops.
    pub(in crate::http) async fn run(&self, cx: &Context, verdicts: &Verdicts, every: Duration) -> Result<()> {
        let host = cx.host();
        let mut looks = self.looks.subscribe();
        loop {
            tokio::select! {
                () = cx.cancelled() => return Ok(()),
                looked = looks.wait_for(|looks| *looks) => { looked?; }
            }
            let mut tap = host.tap("**")?;
            let mut ticks = interval(every.max(LEAST));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while *looks.borrow_and_update() {
                tokio::select! {
                    () = cx.cancelled() => return Ok(()),
                    _ = ticks.tick() => {}
                }
                self.refresh(&host, verdicts, &mut tap).await;
            }
        }
    }

    async fn refresh(&self, host: &HostHandle, verdicts: &Verdicts, tap: &mut Tap) {
        let events = events(host, tap).await;
        let mut parts = view::parts(&host.status(), self.logs.is_some(), SystemTime::now());
        parts.push(view::journal(&host.journal()));
        match (verdicts.probes().await, verdicts.checks().await) {
            (Ok(probes), Ok(checks)) => parts.extend([view::probes(&probes), view::checks(&checks)]),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "the status page cannot show the host's health")
            }
        }
        let version = self.told().take(parts, events);
        self.version.send_replace(version);
    }
}

impl Told {
    /// Takes in what is so now, and gives the number of this refresh.
    fn take(&mut self, parts: Vec<Part>, events: Vec<String>) -> u64 {
        self.version += 1;
        let mut before = std::mem::take(&mut self.parts);
        for (name, json) in parts {
            let part = match before.remove(&name) {
                Some(same) if *same.1 == *json => same,
                _ => (self.version, json.into()),
            };
            self.parts.insert(name, part);
        }
        events.into_iter().for_each(|event| self.events.push(event));
        self.version
    }

    /// The parts that are newer than a refresh, by their names.
    pub(super) fn newer(&self, than: u64) -> Vec<(String, Arc<str>)> {
        let newer = self.parts.iter().filter(|(_, (version, _))| *version > than);
        let mut newer: Vec<_> = newer.map(|(name, (_, json))| (name.clone(), Arc::clone(json))).collect();
        newer.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        newer
    }
}

/// The latest events that went by since the last refresh, as JSON.
async fn events(host: &HostHandle, tap: &mut Tap) -> Vec<String> {
    let mut latest = VecDeque::new();
    let mut missed = 0;
    while let Some(tapped) = tap.try_recv() {
        missed += tapped.missed;
        if latest.len() == EVENTS_AT_ONCE {
            latest.pop_front();
            missed += 1;
        }
        latest.push_back(tapped);
    }
    let latest: Arc<Vec<Tapped>> = Arc::new(latest.into());
    let payloads = payloads(host, &latest).await;
    let mut all = Vec::with_capacity(latest.len());
    for (at, tapped) in latest.iter().enumerate() {
        let seen = Seen {
            at: millis::after_1970(tapped.event.published_at()),
            topic: tapped.event.topic().to_owned(),
            publisher: tapped.event.publisher().to_owned(),
            payload: payloads.get(at).cloned().flatten(),
            missed: if at == 0 { missed } else { 0 },
        };
        all.extend(serde_json::to_string(&seen));
    }
    all
}

/// What events hold, where it can be written; nothing if the workers do not come to it in time.
async fn payloads(host: &HostHandle, events: &Arc<Vec<Tapped>>) -> Vec<Option<String>> {
    if events.is_empty() {
        return Vec::new();
    }
    let events = Arc::clone(events);
    let writing = host.on_workers(move || events.iter().map(payload).collect());
    timeout(WRITING, writing).await.ok().flatten().unwrap_or_default()
}

fn payload(tapped: &Tapped) -> Option<String> {
    let mut text = tapped.event.to_json()?.ok()?.to_string();
    clip(&mut text, PAYLOAD);
    Some(text)
}
