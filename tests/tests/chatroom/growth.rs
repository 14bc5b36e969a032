//! Whether a program grows: how much it holds, look by look, compared by thirds of its run.
//!
//! What is kept up to a bound fills up first: the journal, the log's newest lines, SQLite's 2 MB of pages. That is what the first third
//! is for. And what a daemon that is down will get waits for it, up to a bound too, so a look may come upon thousands of events; the
//! median look does not.

use serde_json::Value;

/// From this many seconds on a run's second third begins after all that fills up has filled up.
const LONG: u64 = 300;

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
        self.memory.push(resident(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)?);
        self.descriptors.push(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64);
        Some(())
    }

    /// In the last third there is no more than in the second.
    pub(crate) fn check_flat(&self, seconds: u64) {
        let [_, second, third] = thirds(&self.memory, median);
        // A short run ends before its database has its pages.
        let fills = if seconds < LONG { 8 * 1024 } else { 1024 };
        assert!(third <= second + second * 3 / 100 + fills, "memory grows, {self}: {:?} KiB", self.memory);
        let [_, second, third] = thirds(&self.descriptors, median);
        assert!(third <= second + 2, "descriptors grow: {:?}", self.descriptors);
        // How many daemons are up differs from look to look, but in each third there are looks at which nearly all are.
        for (what, all) in [("entries", &self.entries), ("series", &self.series)] {
            let [first, second, third] = thirds(all, most);
            let before = first.max(second);
            assert!(third <= before + before * 3 / 100, "{what} grow, {self}: {all:?}");
        }
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (memory, descriptors) = (thirds(&self.memory, median), thirds(&self.descriptors, median));
        let (entries, series) = (thirds(&self.entries, most), thirds(&self.series, most));
        write!(
            f,
            "by thirds: memory {memory:?} KiB, descriptors {descriptors:?}, at most {entries:?} entries and {series:?} series"
        )
    }
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
    let grown = |memory: [u64; 3]| {
        let growth = Growth { memory: memory.to_vec(), ..Growth::default() };
        std::panic::catch_unwind(|| growth.check_flat(600)).is_err()
    };
    assert!(grown([32_700, 37_000, 41_700]));
    assert!(!grown([29_500, 31_000, 31_900]));
}
