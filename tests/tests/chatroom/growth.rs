//! Whether a program grows: how much it holds, look by look.
//!
//! What is kept up to a bound fills up first. The journal, the log's newest lines and SQLite's 2 MB of pages take a third of a long run. What
//! a daemon that is down will get waits for it, and fills its buffer only when it is down for long: after some minutes of chaos each failure
//! costs half a minute. So memory is compared from when a buffer was full, and then by halves.

use serde_json::Value;

/// From this many seconds on a run is long enough for all that to fill up.
const LONG: u64 = 300;
/// As many events wait for a daemon that is down, at most, from each subscription of the usual size.
const STARTUP: u64 = 8192;

/// What the allocator is told, since the memory of a program is what it holds and what the allocator keeps of what it once held. By itself
/// glibc has a heap for every few threads, each of which stays as large as it ever was; a program whose threads come and go, as the
/// database's do with every life of `data`, makes one after the other as large as the largest. With one heap, which gives back its free
/// end, it is what the program holds that counts.
pub(crate) const ALLOCATOR: [(&str, &str); 2] = [("MALLOC_ARENA_MAX", "1"), ("MALLOC_TRIM_THRESHOLD_", "65536")];

/// What was there at each look.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    /// In KiB.
    memory: Vec<u64>,
    /// How many looks there had been when so much waited for the first time.
    full: Option<usize>,
    descriptors: Vec<u64>,
    /// What the daemons' lives add to and take away from: subscriptions, intervals, tasks and the like.
    entries: Vec<u64>,
    /// Lines of figures.
    series: Vec<u64>,
}

impl Growth {
    pub(crate) fn looks(&self) -> usize {
        self.memory.len()
    }

    /// Books a look at the process `pid`, with the status and the figures that it gave; `None` if it has gone.
    pub(crate) fn look(&mut self, pid: i32, status: &Value, figures: &str) -> Option<()> {
        self.entries.push(entries(status));
        self.series.push(figures.lines().filter(|line| !line.starts_with('#')).count() as u64);
        if waiting(status) >= STARTUP {
            self.full.get_or_insert(self.memory.len());
        }
        self.memory.push(resident(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)?);
        self.descriptors.push(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64);
        Some(())
    }

    /// In the end there is no more than in the middle.
    pub(crate) fn check_flat(&self, seconds: u64) {
        let [middle, end] = self.settled();
        // A short run ends before its database has its pages.
        let fills = if seconds < LONG { 8 * 1024 } else { 1024 };
        assert!(end <= middle + middle * 5 / 100 + fills, "memory grows, {self}: {:?} KiB", self.memory);
        let [_, second, third] = thirds(&self.descriptors, median);
        assert!(third <= second + 2, "descriptors grow: {:?}", self.descriptors);
        // How many daemons are up differs from look to look, but in each third there are looks at which nearly all are.
        for (what, all) in [("entries", &self.entries), ("series", &self.series)] {
            let [first, second, third] = thirds(all, most);
            let before = first.max(second);
            assert!(third <= before + before * 3 / 100, "{what} grow, {self}: {all:?}");
        }
    }

    /// The median memory of both halves of the rest, from when all is full on: of the last two thirds at most, and of the last at least.
    fn settled(&self) -> [u64; 2] {
        let all = self.memory.len();
        let rest = &self.memory[self.full.unwrap_or_default().clamp(all / 3, all * 2 / 3)..];
        let (middle, end) = rest.split_at(rest.len() / 2);
        [median(middle), median(end)]
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (memory, descriptors) = (thirds(&self.memory, median), thirds(&self.descriptors, median));
        let (entries, series) = (thirds(&self.entries, most), thirds(&self.series, most));
        write!(
            f,
            "memory {:?} KiB by halves from look {:?} on; by thirds: memory {memory:?} KiB, descriptors {descriptors:?}, at most {entries:?} \
             entries and {series:?} series",
            self.settled(),
            self.full,
        )
    }
}

/// How many events wait.
fn waiting(status: &Value) -> u64 {
    let daemons = status["daemons"].as_array().unwrap().iter();
    let rows = daemons.flat_map(|daemon| daemon["subscriptions"].as_array().unwrap());
    rows.map(|row| row["queued"].as_u64().unwrap()).sum()
}

fn entries(status: &Value) -> u64 {
    const LISTS: [&str; 5] = ["subscriptions", "ended", "intervals", "tasks", "counters"];
    let of = |daemon: &Value| {
        let lists: usize = LISTS.iter().map(|list| daemon[list].as_array().unwrap().len()).sum();
        lists as u64 + daemon["guards"].as_u64().unwrap()
    };
    status["daemons"].as_array().unwrap().iter().map(of).sum()
}

fn resident(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

fn thirds(all: &[u64], of: impl Fn(&[u64]) -> u64) -> [u64; 3] {
    [0, 1, 2].map(|at| of(&all[at * all.len() / 3..(at + 1) * all.len() / 3]))
}

fn median(all: &[u64]) -> u64 {
    let mut all = all.to_vec();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn most(all: &[u64]) -> u64 {
    all.iter().copied().max().unwrap_or_default()
}

#[test]
fn what_grew_once_is_not_flat() {
    let grown = |full, memory: [u64; 6]| {
        let growth = Growth { memory: memory.to_vec(), full, ..Growth::default() };
        std::panic::catch_unwind(|| growth.check_flat(600)).is_err()
    };
    let grew = [32_700, 32_700, 37_000, 37_000, 41_700, 41_700];
    assert!(grown(None, grew) && grown(Some(2), grew) && grown(Some(3), grew));
    let filled = [29_500, 30_000, 30_500, 30_600, 36_500, 36_900];
    assert!(grown(None, filled) && !grown(Some(4), filled));
}
