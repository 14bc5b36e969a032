//! The time that schedules go by: a monotonic clock that goes on while the machine sleeps, and the clock on the wall.
//!
//! Tokio's clock carries both. On most systems it stands still during a suspend, and never shows a step of the wall clock; so
//! what it lacks is added: how long the machine slept, and how far the wall clock was moved. On Linux an [alarm](super::alarm)
//! tells of either at once. Elsewhere the clocks are looked at now and then, while somebody waits.
//!
//! Invariants:
//! 1. [`Clock::now`] never goes back. Its wall time does, when the wall clock is set back.
//! 2. Nothing here wakes anybody on Linux but a change of the clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::pace::{Moment, Now};
use super::system::Reading;

/// How long one waits at most without looking at the clocks, where nothing tells of their changes.
const NAP: Duration = Duration::from_secs(60);
/// The least difference that counts as one.
const NOTICED: u64 = 1_000_000;

/// The clock of one host.
pub(crate) struct Clock {
    /// When it began.
    origin: Instant,
    /// What the wall clock showed then, in nanoseconds since 1970.
    wall: i64,
    /// How long the machine has slept since, in nanoseconds.
    asleep: AtomicU64,
    /// How much further the wall clock has come than tokio's, in nanoseconds.
    ahead: AtomicI64,
    /// How often one of these has changed.
    changes: watch::Sender<u64>,
    /// The system's clocks when this one began; `None` if a test moves this one.
    system: Option<Reading>,
    alarm: super::alarm::Shared,
    /// Whether the alarm tells of changes of the system's clocks.
    alarmed: AtomicBool,
}

impl Clock {
    /// A clock that follows those of the system.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::beginning(nanos_since_1970(SystemTime::now()), Some(Reading::take())))
    }

    /// A clock that a test moves, beyond what tokio's moves by itself.
    #[cfg(feature = "testing")]
    pub(crate) fn steered(wall: SystemTime) -> Arc<Self> {
        Arc::new(Self::beginning(nanos_since_1970(wall), None))
    }

    fn beginning(wall: i64, system: Option<Reading>) -> Self {
        Self {
            origin: Instant::now(),
            wall,
            asleep: AtomicU64::new(0),
            ahead: AtomicI64::new(0),
            changes: watch::Sender::default(),
            system,
            alarm: super::alarm::Shared::default(),
            alarmed: AtomicBool::new(false),
        }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Now {
        let elapsed = nanos(self.origin.elapsed());
        let wall = self.wall.saturating_add(self.ahead.load(Ordering::Relaxed));
        Now { moment: elapsed + self.asleep.load(Ordering::Relaxed), wall: wall.saturating_add_unsigned(elapsed) }
    }

    /// When it will be `moment` by tokio's clock, if the machine does not sleep until then; sooner where it has to be looked whether
    /// it did.
    pub(super) fn deadline(&self, moment: Moment) -> Instant {
        let after = moment.saturating_sub(self.asleep.load(Ordering::Relaxed));
        let deadline = self.origin + Duration::from_nanos(after);
        if self.is_blind() { deadline.min(Instant::now() + NAP) } else { deadline }
    }

    /// Whether nothing tells of changes of the system's clocks.
    fn is_blind(&self) -> bool {
        self.system.is_some() && !self.alarmed.load(Ordering::Relaxed)
    }

    /// A [deadline](Self::deadline) has come: looks at the system's clocks, if nothing else does.
    pub(super) fn woke(&self) {
        if self.is_blind() {
            self.look();
        }
    }

    /// Compares with the system's clocks, and tells everybody if they have moved.
    fn look(&self) {
        let Some(began) = self.system else { return };
        let now = Reading::take();
        let slept = u64::try_from(now.asleep - began.asleep).unwrap_or(0);
        let ahead = now.ahead - began.ahead;
        let known = (self.asleep.load(Ordering::Relaxed), self.ahead.load(Ordering::Relaxed));
        if slept >= known.0 + NOTICED || ahead.abs_diff(known.1) >= NOTICED {
            self.asleep.fetch_max(slept, Ordering::Relaxed);
            self.ahead.store(ahead, Ordering::Relaxed);
            self.tell();
        }
    }

    fn tell(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Begins to watch it.
    pub(super) fn watch(self: &Arc<Self>) -> Watch {
        let alarm = if self.system.is_some() { self.alarm.get() } else { None };
        self.alarmed.store(alarm.is_some(), Ordering::Relaxed);
        Watch { clock: self.clone(), changes: self.changes.subscribe(), alarm }
    }

    /// Waits until so much time has passed, time asleep included.
    ///
    /// Cancel safe, but begins anew each time.
    pub(crate) async fn sleep(self: &Arc<Self>, time: Duration) {
        if time.is_zero() {
            return;
        }
        let until = self.now().moment.saturating_add(nanos(time));
        let mut watch = self.watch();
        while self.now().moment < until {
            tokio::select! {
                biased;
                () = watch.moved() => {}
                () = tokio::time::sleep_until(self.deadline(until)) => self.woke(),
            }
        }
    }

    /// Lets the machine have slept: for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn suspend(&self, time: Duration) {
        let time = nanos(time);
        self.asleep.fetch_add(time, Ordering::Relaxed);
        self.ahead.fetch_add(time as i64, Ordering::Relaxed);
        self.tell();
    }

    /// Sets the wall clock forward or back: for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn step(&self, by: Duration, forward: bool) {
        let by = nanos(by) as i64;
        self.ahead.fetch_add(if forward { by } else { -by }, Ordering::Relaxed);
        self.tell();
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn nanos_since_1970(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

/// Somebody who wants to know when a clock is moved.
pub(super) struct Watch {
    clock: Arc<Clock>,
    changes: watch::Receiver<u64>,
    alarm: Option<Arc<Alarm>>,
}

impl Watch {
    /// Waits until the clock has been moved since this was last told.
    ///
    /// Cancel safe.
    pub(super) async fn moved(&mut self) {
        loop {
            tokio::select! {
                biased;
                _ = self.changes.changed() => return, // the sender is the clock, which is held here
                ring = Alarm::ring(self.alarm.as_deref()) => {
                    if ring.is_err() {
                        self.alarm = None;
                        self.clock.alarmed.store(false, Ordering::Relaxed);
                        self.clock.tell(); // so that everybody naps from now on
                    }
                    self.clock.look();
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[tokio::test(start_paused = true)]
    async fn time_asleep_counts_and_the_wall_clock_goes_its_own_way() {
        let clock = Clock::steered(UNIX_EPOCH + Duration::from_secs(1_000));
        let at = |moment: u64, wall: i64| Now { moment: moment * S, wall: wall * S as i64 };
        assert_eq!(clock.now(), at(0, 1_000));
        tokio::time::advance(Duration::from_secs(5)).await;
        clock.suspend(Duration::from_secs(100));
        assert_eq!(clock.now(), at(105, 1_105));
        clock.step(Duration::from_secs(50), false);
        assert_eq!(clock.now(), at(105, 1_055));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_ends_with_the_suspend_that_it_ends_in() {
        let clock = Clock::steered(UNIX_EPOCH);
        let begun = Instant::now();
        let sleeps = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(3_600)).await }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        clock.suspend(Duration::from_secs(1_800));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(!sleeps.is_finished());
        clock.step(Duration::from_secs(86_400), true); // no matter to what counts elapsed time
        clock.suspend(Duration::from_secs(7_200));
        sleeps.await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 20);
    }

    /// A clock of the system that began an hour of sleep ago, and whose wall was set forward by another.
    fn behind(hours: [i64; 2]) -> Arc<Clock> {
        let [asleep, ahead] = hours.map(|hours| hours * 3_600 * S as i64);
        let began = Reading::take();
        let began = Reading { asleep: began.asleep - asleep, ahead: began.ahead - asleep - ahead };
        Arc::new(Clock::beginning(0, Some(began)))
    }

    /// A clock of the system whose alarm tells nothing, and that.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(in super::super) fn without_alarm() -> (Arc<Clock>, Arc<Alarm>) {
        let alarm = Arc::new(Alarm::broken());
        let mut clock = behind([1, 0]);
        Arc::get_mut(&mut clock).unwrap().alarm = super::super::alarm::Shared::of(&alarm);
        (clock, alarm)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    impl Clock {
        /// As if what it has noticed of a sleep came only now; returns whether it has.
        pub(in super::super) fn falls_asleep_for_an_hour(&self) -> bool {
            self.ahead.store(0, Ordering::Relaxed);
            self.asleep.swap(0, Ordering::Relaxed) > 3_599 * S
        }
    }

    /// Where the system does not tell of it.
    #[tokio::test(start_paused = true)]
    async fn who_naps_notices_afterwards_that_the_machine_slept_or_the_clock_was_set() {
        let cases =
            [([1, 0], 3_600, 3_600), ([0, 1], 0, 3_600), ([0, -1], 0, -3_600), ([1, -1], 3_600, 0), ([0, 0], 0, 0)];
        for (hours, slept, wall) in cases {
            let clock = behind(hours);
            let told = clock.changes.subscribe();
            assert!(clock.deadline(u64::MAX / 2) <= Instant::now() + NAP, "it naps");
            clock.woke();
            let now = clock.now();
            let seconds = |nanos: i64| (nanos as f64 / S as f64).round() as i64;
            assert_eq!((seconds(now.moment as i64), seconds(now.wall)), (slept, wall));
            assert_eq!(told.has_changed().unwrap(), hours != [0, 0], "{hours:?}");
        }
    }

    /// Where the system tells of it, nobody wakes to look.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test(start_paused = true)]
    async fn who_has_an_alarm_naps_and_looks_only_once_that_is_broken() {
        let clock = behind([1, 0]);
        let naps = || clock.deadline(u64::MAX / 2) <= Instant::now() + NAP;
        let mut watch = clock.watch();
        assert!(!naps());
        clock.woke();
        assert!(!watch.changes.has_changed().unwrap(), "it has not looked");
        let mut other = clock.changes.subscribe();
        watch.alarm = Some(Arc::new(Alarm::broken()));
        watch.moved().await;
        assert!(naps() && other.has_changed().unwrap(), "everybody is told");
        assert_eq!((clock.now().moment as f64 / S as f64).round(), 3_600.0, "it has looked");
        other.mark_unchanged();
        watch.changes.mark_unchanged();
        assert!(tokio::time::timeout(Duration::from_secs(1), watch.moved()).await.is_err(), "it is broken once");
        assert!(!other.has_changed().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_of_the_system_goes_with_a_paused_one_of_tokio() {
        let clock = Clock::new();
        let before = clock.now();
        clock.sleep(Duration::from_secs(3_600)).await;
        let after = clock.now();
        assert_eq!((after.moment - before.moment) / S, 3_600);
        assert_eq!((after.wall - before.wall) / S as i64, 3_600);
    }
}
