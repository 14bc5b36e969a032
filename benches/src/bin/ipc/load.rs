//! What the clients do, and what is told of it.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use benches::{figure, process};

use crate::contender::{Contender, InFlight};

const IN_FLIGHT: usize = 64;
const CONNECTIONS: usize = 1_000;

pub struct Client<'a> {
    pub name: &'a str,
    pub runtime: &'a str,
    pub place: &'a Path,
    /// The process of the server.
    pub server: u32,
    pub seconds: f64,
}

impl Client<'_> {
    /// `sequential/BYTES`, `in-flight/BYTES`, `idle`, or `calls/COUNT`, of which nothing is told.
    pub async fn run<C: Contender>(&self, load: &str) {
        let (what, number) = load.split_once('/').unwrap_or((load, "64"));
        let number: usize = number.parse().expect("a number");
        match what {
            "sequential" => self.sequential::<C>(load, number).await,
            "in-flight" => self.in_flight::<C>(load, number).await,
            "idle" => self.idle::<C>().await,
            _ => self.calls::<C>(number).await,
        }
    }

    fn figure(&self, load: &str, metric: &str, value: f64) {
        figure(&format!("ipc/{}/{load}", self.runtime), self.name, metric, value);
    }

    fn until(&self, share: f64) -> Instant {
        Instant::now() + Duration::from_secs_f64(self.seconds * share)
    }

    async fn sequential<C: Contender>(&self, load: &str, bytes: usize) {
        let data = text(bytes);
        let mut client = C::connect(self.place, Some(bytes)).await;
        let warm = self.until(0.2);
        while Instant::now() < warm {
            assert_eq!(client.call(&data).await, bytes);
        }
        let end = self.until(1.0);
        let mut took = Vec::with_capacity(1 << 18);
        let mut now = Instant::now();
        while now < end || took.is_empty() {
            assert_eq!(black_box(client.call(&data).await), bytes);
            let then = std::mem::replace(&mut now, Instant::now());
            took.push(now - then);
        }
        let middle = took.len() / 2;
        let (_, p50, _) = took.select_nth_unstable(middle);
        self.figure(load, "p50 us", p50.as_nanos() as f64 / 1e3);
    }

    async fn in_flight<C: Contender>(&self, load: &str, bytes: usize) {
        let work = |share| InFlight { data: text(bytes).into(), count: IN_FLIGHT, until: self.until(share) };
        let client = C::connect(self.place, None).await;
        if client.in_flight(work(0.2)).await.is_none() {
            return;
        }
        let client = C::connect(self.place, None).await;
        let since = Instant::now();
        let answered = client.in_flight(work(1.0)).await.unwrap_or_default();
        let rate = answered as f64 / since.elapsed().as_secs_f64();
        self.figure(load, "a second", rate);
        self.figure(load, "us", 1e6 / rate);
    }

    /// Connections that have asked once, and then nothing.
    async fn idle<C: Contender>(&self) {
        let data = text(64);
        let before = process::resident_of(self.server);
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut client = C::connect(self.place, Some(data.len())).await;
            client.call(&data).await;
            clients.push(client);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let more = process::resident_of(self.server).saturating_sub(before);
        self.figure("idle", "KiB", more as f64 / 1024.0 / CONNECTIONS as f64);
    }

    async fn calls<C: Contender>(&self, count: usize) {
        let data = text(64);
        let mut client = C::connect(self.place, Some(data.len())).await;
        for _ in 0..count {
            client.call(&data).await;
        }
    }
}

fn text(bytes: usize) -> String {
    ('a'..='z').cycle().take(bytes).collect()
}
