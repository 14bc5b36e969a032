use super::*;
use crate::status::TaskKind;

const S: Duration = Duration::from_secs(1);

fn awake(naps: u64, busy_ms: u64) -> Worker {
    assert!(naps.is_multiple_of(2));
    Worker { naps, busy: Duration::from_millis(busy_ms) }
}

fn asleep(naps: u64) -> Worker {
    assert!(!naps.is_multiple_of(2));
    Worker { naps, busy: Duration::ZERO }
}

fn polled(number: u64, polls: u64, blocked: Duration) -> Polled {
    let work = BlockedWork {
        daemon: "user".to_owned(),
        work: format!("task `{number}`"),
        kind: TaskKind::Task,
        spawned_at: "src/user.rs:7".to_owned(),
        blocked,
    };
    Polled { poll: (1, number, polls), work }
}

/// A watch that is looked at once a second.
struct Looks {
    watch: Watch,
    now: Instant,
}

impl Looks {
    fn from(workers: &[Worker]) -> Self {
        let now = Instant::now();
        let mut watch = Watch::new(S, now);
        watch.begin(now, workers.to_vec());
        Self { watch, now }
    }

    fn look(&mut self, workers: &[Worker], polled: &[Polled]) -> Vec<String> {
        self.look_after(S, workers, polled)
    }

    fn look_after(&mut self, time: Duration, workers: &[Worker], polled: &[Polled]) -> Vec<String> {
        self.now += time;
        let words = self.watch.look(self.now, workers.to_vec(), || polled.to_vec());
        words.iter().map(said).collect()
    }
}

fn said(word: &Word) -> String {
    match word {
        Word::Blocks(work) => format!("{} blocks for {:?}", work.work, work.blocked),
        Word::Ended { work, at_most } => format!("{} ended after {:?} to {at_most:?}", work.work, work.blocked),
        Word::Unknown { workers } => format!("{workers} unknown"),
        Word::UnknownEnded => "unknown ended".to_owned(),
        Word::All { workers } => format!("all {workers}"),
    }
}

const NOTHING: [String; 0] = [];

#[test]
fn nobody_is_asked_what_is_polled_while_workers_sleep_or_get_on() {
    let now = Instant::now();
    let mut watch = Watch::new(S, now);
    watch.begin(now, vec![asleep(1), awake(2, 10), awake(4, 10)]);
    let next = vec![asleep(1), awake(4, 10), awake(4, 900)]; // asleep, slept in between, busy with many things
    assert!(watch.look(now + S, next, || panic!("nobody is stuck")).is_empty());
}

#[test]
fn what_blocks_is_told_once_and_once_when_it_ends() {
    let mut looks = Looks::from(&[awake(2, 10), asleep(1)]);
    let stuck = [awake(2, 10), asleep(1)];
    assert_eq!(looks.look(&stuck, &[polled(7, 3, S / 2)]), NOTHING, "not long enough yet");
    assert_eq!(looks.look(&stuck, &[polled(7, 3, S * 3 / 2)]), ["task `7` blocks for 1.5s"]);
    assert_eq!(looks.look(&stuck, &[polled(7, 3, S * 5 / 2)]), NOTHING);
    assert!(looks.watch.is_stuck());
    assert_eq!(looks.look(&[asleep(3), asleep(1)], &[]), ["task `7` ended after 2.5s to 3.5s"]);
    assert!(!looks.watch.is_stuck());
    assert_eq!(looks.look(&[asleep(3), asleep(1)], &[]), NOTHING);
}

#[test]
fn the_next_poll_of_the_same_work_is_told_of_anew() {
    let mut looks = Looks::from(&[awake(2, 10), asleep(1)]);
    let stuck = [awake(2, 10), asleep(1)];
    assert_eq!(looks.look(&stuck, &[polled(7, 3, S)]), ["task `7` blocks for 1s"]);
    assert_eq!(looks.look(&stuck, &[polled(7, 4, S)]), ["task `7` ended after 1s to 2s", "task `7` blocks for 1s"]);
}

#[test]
fn short_polls_beside_the_one_that_blocks_are_not_told_of() {
    let mut looks = Looks::from(&[awake(2, 10), awake(4, 10)]);
    let words = looks.look(&[awake(2, 10), awake(4, 900)], &[polled(7, 3, S), polled(8, 3, S / 10)]);
    assert_eq!(words, ["task `7` blocks for 1s"]);
}

#[test]
fn that_all_workers_are_blocked_is_told_once() {
    let mut looks = Looks::from(&[awake(2, 10), awake(4, 10)]);
    let stuck = [awake(2, 10), awake(4, 10)];
    let both = [polled(7, 3, S), polled(8, 3, S)];
    assert_eq!(looks.look(&stuck, &both), ["task `7` blocks for 1s", "task `8` blocks for 1s", "all 2"]);
    assert_eq!(looks.look(&stuck, &both), NOTHING);
    assert_eq!(looks.look(&[awake(2, 10), asleep(5)], &both[..1]), ["task `8` ended after 1s to 3s"]);
    assert_eq!(looks.look(&[awake(2, 10), awake(6, 20)], &both[..1]), NOTHING);
    let again = [polled(7, 3, S * 5), polled(8, 9, S)];
    assert_eq!(looks.look(&[awake(2, 10), awake(6, 20)], &again), ["task `8` blocks for 1s", "all 2"]);
}

#[test]
fn a_worker_that_nothing_known_blocks_is_told_of_as_such() {
    let mut looks = Looks::from(&[awake(2, 10), awake(4, 10)]);
    assert_eq!(looks.look(&[awake(2, 10), awake(4, 20)], &[]), ["1 unknown"]);
    // What is polled for a moment on the other worker changes nothing.
    assert_eq!(looks.look(&[awake(2, 10), awake(4, 30)], &[polled(7, 3, S / 10)]), NOTHING);
    assert_eq!(looks.look(&[awake(2, 10), awake(4, 30)], &[polled(7, 3, S)]), ["task `7` blocks for 1s", "all 2"]);
    assert_eq!(looks.look(&[awake(2, 90), awake(4, 30)], &[polled(7, 3, S * 2)]), ["unknown ended"]);
}

#[test]
fn a_look_that_comes_late_accuses_nobody() {
    let mut looks = Looks::from(&[awake(2, 10)]);
    let stuck = [awake(2, 10)];
    assert_eq!(looks.look_after(S * 9, &stuck, &[polled(7, 3, S * 9)]), NOTHING, "the process was stopped");
    assert_eq!(looks.look(&stuck, &[polled(7, 3, S * 10)]), ["task `7` blocks for 10s", "all 1"], "it does block");
}

#[test]
fn a_look_that_comes_late_says_nothing_of_the_workers() {
    let worker = awake(2, 0);
    let mut looks = Looks::from(&[worker]);
    assert!(looks.look_after(S * 2 + S / 1_000, &[worker], &[polled(1, 1, S * 2)]).is_empty());
    assert!(!looks.watch.is_stuck(), "the whole process may have stood still");
    assert_eq!(looks.look(&[worker], &[polled(1, 1, S * 3)]), ["task `1` blocks for 3s", "all 1"]);
    assert!(looks.watch.is_stuck());
}

#[test]
fn a_look_that_comes_late_takes_nothing_back_that_was_told() {
    let (stuck, work) = ([awake(2, 10), asleep(1)], |seconds: u32| [polled(1, 1, S * seconds)]);
    let mut looks = Looks::from(&stuck);
    assert_eq!(looks.look(&stuck, &work(1)), ["task `1` blocks for 1s"]);
    assert_eq!(looks.look_after(3 * S, &stuck, &[]), NOTHING);
    assert_eq!(looks.look(&stuck, &work(5)), NOTHING, "it is known");
}

#[test]
fn workers_that_are_busy_with_many_short_things_are_not_all_blocked() {
    let stuck = [awake(2, 10)];
    let mut looks = Looks::from(&stuck);
    assert_eq!(looks.look(&stuck, &[polled(1, 7, S / 10)]), NOTHING);
}

#[test]
fn that_all_are_blocked_is_told_again_once_one_was_free() {
    let both = [awake(2, 10), awake(2, 20)];
    let mut looks = Looks::from(&both);
    assert_eq!(looks.look(&both, &[]), ["2 unknown", "all 2"]);
    assert_eq!(looks.look(&[awake(2, 10), awake(4, 30)], &[]), NOTHING, "one got on");
    assert_eq!(looks.look(&[awake(2, 10), awake(4, 30)], &[]), ["all 2"]);
}
