//! Figures of the process, under the names that all client libraries of Prometheus give them. The one place here that reads files:
//! those that Linux makes of a process in `/proc`; elsewhere only the start is known.
//!
//! Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.

use std::time::{Duration, SystemTime};

use super::family::Families;

/// What does not change while the process runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    started: Duration,
}

impl Process {
    /// This process; `up`: how long its host has been, which is what is known where the system does not tell.
    pub(super) fn this(up: Duration) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: sys::started().unwrap_or_else(|| now.saturating_sub(up)) }
    }

    pub(super) fn collect(self, to: &mut Families) {
        let help = "When the process started, in seconds since the Unix epoch.";
        to.gauge("process_start_time_seconds", help).add_real(&[], self.started.as_secs_f64());
        sys::collect(to);
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use super::{Duration, Families};

    pub(super) fn started() -> Option<Duration> {
        None
    }

    pub(super) fn collect(_: &mut Families) {}
}

#[cfg(target_os = "linux")]
mod sys {
    use super::{Duration, Families};
    use crate::descriptors;
    use rustix::param::{clock_ticks_per_second, page_size};
    use std::fs;

    pub(super) fn started() -> Option<Duration> {
        let boot = boot_time(&fs::read_to_string("/proc/stat").ok()?)?;
        let stat = Stat::read(&fs::read_to_string("/proc/self/stat").ok()?)?;
        Some(Duration::from_secs(boot) + ticks(stat.started))
    }

    fn ticks(ticks: u64) -> Duration {
        let each = clock_ticks_per_second().max(1);
        Duration::from_secs(ticks / each) + Duration::from_secs_f64((ticks % each) as f64 / each as f64)
    }

    pub(super) fn collect(to: &mut Families) {
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::read) {
            let cpu = ticks(stat.cpu).as_secs_f64();
            to.counter("process_cpu_seconds", "User and system time spent.").add_real(&[], cpu);
            to.gauge("process_virtual_memory_bytes", "Virtual memory.").add(&[], stat.virtual_bytes);
            let resident = stat.resident_pages.saturating_mul(page_size() as u64);
            to.gauge("process_resident_memory_bytes", "Memory in use.").add(&[], resident);
            to.gauge("process_threads", "Threads.").add(&[], stat.threads);
        }
        if let Some(open) = descriptors::open() {
            to.gauge("process_open_fds", "Open descriptors.").add(&[], open);
        }
        if let Some(limit) = descriptors::allowed() {
            to.gauge("process_max_fds", "How many descriptors may be open.").add(&[], limit);
        }
    }

    /// What is of interest in `/proc/self/stat`; see proc(5).
    #[derive(Debug, PartialEq, Eq)]
    struct Stat {
        cpu: u64,
        threads: u64,
        started: u64,
        virtual_bytes: u64,
        resident_pages: u64,
    }

    impl Stat {
        fn read(text: &str) -> Option<Self> {
            // The name of the program may have anything in it, so count from its end: what follows is the third field.
            let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
            let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
            Some(Self {
                cpu: field(14)? + field(15)?,
                threads: field(20)?,
                started: field(22)?,
                virtual_bytes: field(23)?,
                resident_pages: field(24)?,
            })
        }
    }

    /// When the machine was started, in seconds since the epoch.
    fn boot_time(stat: &str) -> Option<u64> {
        stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_that_looks_like_fields_does_no_harm() {
            let stat =
                "41 (a) S 1 2) S 1 41 41 0 -1 4194560 9 0 0 0 7 5 0 0 20 0 3 0 1234 4096000 321 18446744073709551615";
            let expected = Stat { cpu: 12, threads: 3, started: 1234, virtual_bytes: 4_096_000, resident_pages: 321 };
            assert_eq!(Stat::read(stat), Some(expected));
            assert_eq!(Stat::read("41 (short) S 1"), None);
            assert_eq!(Stat::read(""), None);
        }

        #[test]
        fn the_time_of_the_start_is_found_by_its_line() {
            assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\nprocesses 5\n"), Some(1_700_000_000));
        }
    }
}
