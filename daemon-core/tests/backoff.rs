//! How long a daemon and a task wait before they run again: in earnest, with the times of their lives and with chance.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Host, Result, ShutdownReport, daemon};
use tokio::time::{Instant, sleep};

mod probe;

use probe::{S, until};

/// One after the other: delays that double to the greatest, for longer than a stable life lasts; then a stable life.
const LIVES: [u64; 13] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 61, 0, 0];
/// The delay behind each of them, in seconds, before chance takes something of it.
const DELAYS: [u64; 13] = [1, 2, 4, 8, 16, 16, 16, 16, 16, 16, 1, 2, 4];

/// When a life began, and when it ended.
type Lived = (Instant, Option<Instant>);

/// Fails once for each of its lives, in one way and in the other, and then lives on.
#[derive(Clone, Default)]
struct Script {
    lives: Arc<Mutex<Vec<Lived>>>,
}

impl Script {
    async fn live(&self, cx: &Context) -> Result<()> {
        let number = {
            let mut lives = self.lives.lock().unwrap();
            lives.push((Instant::now(), None));
            lives.len() - 1
        };
        let Some(lasts) = LIVES.get(number) else {
            cx.cancelled().await;
            return Ok(());
        };
        sleep(S(*lasts)).await;
        self.lives.lock().unwrap()[number].1 = Some(Instant::now());
        assert!(number.is_multiple_of(2), "its life is over");
        Err("its life is over".into())
    }

    /// Waits until it lives on, and says how long it waited before each further life.
    async fn delays(&self) -> Vec<Duration> {
        until("the last life", || self.lives.lock().unwrap().len() > LIVES.len()).await;
        let lives = self.lives.lock().unwrap();
        lives.windows(2).map(|pair| pair[1].0 - pair[0].1.unwrap()).collect()
    }
}

/// A sleep may end a moment late.
const MOMENT: Duration = Duration::from_millis(5);

/// Lets a daemon live by the script, looks at its delays, and returns the report of its host's end.
async fn play<D: DaemonBase>(script: Script, daemon: D) -> ShutdownReport {
    // Long past when most of these lives begin: it shortens none of their delays.
    let host = Host::new("test").start_budget(S(1)).daemon(daemon).start().await.unwrap();
    assert_spread(&script.delays().await);
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    let counted = &report.daemons[0];
    assert_eq!((counted.errors, counted.panics), (7, 6), "each failure is counted once: {report}");
    report
}

fn assert_spread(delays: &[Duration]) {
    assert_eq!(delays.len(), DELAYS.len());
    for (delay, full) in delays.iter().zip(DELAYS.map(S)) {
        assert!(*delay >= full.mul_f64(0.75) && *delay <= full + MOMENT, "{full:?}: {delays:?}");
    }
    let chance = delays.iter().zip(DELAYS.map(S)).any(|(delay, full)| *delay + MOMENT < full);
    assert!(chance, "nothing is left to chance, and all who fail together come again together: {delays:?}");
}

#[daemon(name = "restarted", restart(on_failure, backoff = "1s..16s", limit = "100/1m"))]
struct Restarted(Script);

#[daemon]
impl Restarted {
    #[task(restart(never))]
    async fn live(&self, cx: &Context) -> Result<()> {
        self.0.live(cx).await
    }
}

impl DaemonBase for Restarted {}

#[tokio::test(start_paused = true)]
async fn a_daemon_waits_longer_each_time_and_less_again_after_a_stable_life() {
    let script = Script::default();
    let report = play(script.clone(), Restarted(script)).await;
    assert_eq!(report.daemon("restarted").unwrap().restarts, DELAYS.len() as u64, "{report}");
}

#[daemon(name = "steady")]
struct Steady(Script);

#[daemon]
impl Steady {
    #[task(restart(on_failure, backoff = "1s..16s", limit = "100/1m"))]
    async fn live(&self, cx: &Context) -> Result<()> {
        self.0.live(cx).await
    }
}

impl DaemonBase for Steady {}

#[tokio::test(start_paused = true)]
async fn a_task_waits_longer_each_time_and_less_again_after_a_stable_life() {
    let script = Script::default();
    let report = play(script.clone(), Steady(script)).await;
    assert_eq!(report.daemon("steady").unwrap().restarts, 0, "the task alone: {report}");
}

/// Its task keeps failing, until it may no more.
#[daemon(name = "spent", restart(never))]
struct Spent;

#[daemon]
impl Spent {
    #[task(restart(on_failure, backoff = "1s..1s", limit = "2/1h"))]
    async fn fails(&self) -> Result<()> {
        Err("no luck".into())
    }
}

impl DaemonBase for Spent {}

#[tokio::test(start_paused = true)]
async fn a_task_whose_restarts_are_used_up_fails_its_daemon_and_says_so() {
    let report = Host::new("test").daemon(Spent).start().await.unwrap().wait().await.unwrap();
    let spent = report.daemon("spent").unwrap();
    let reason = "task `fails`: no luck, and its restarts are used up";
    assert_eq!((spent.reason.as_deref(), spent.errors, report.exit_code), (Some(reason), 3, 1), "{report}");
}

/// Its task fails because it is to end.
#[daemon(name = "sore")]
struct Sore;

#[daemon]
impl Sore {
    #[task]
    async fn works(&self, cx: &Context) -> Result<()> {
        cx.cancelled().await;
        Err("it could not save".into())
    }
}

impl DaemonBase for Sore {}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_in_the_stop_is_counted_and_told_of() {
    let report = Host::new("test").daemon(Sore).start().await.unwrap().shutdown().await.unwrap();
    let sore = report.daemon("sore").unwrap();
    assert_eq!(sore.problems, ["task `works`: it could not save"], "{report}");
    assert_eq!((sore.errors, report.exit_code), (1, 1), "{report}");
}

/// Fails once, and says when each of its lives begins.
#[derive(Clone, Default)]
struct Once(Arc<Mutex<Vec<Instant>>>);

impl Once {
    async fn live(&self, cx: &Context) -> Result<()> {
        let lives = {
            let mut lives = self.0.lock().unwrap();
            lives.push(Instant::now());
            lives.len()
        };
        if lives == 1 {
            return Err("once".into());
        }
        cx.cancelled().await;
        Ok(())
    }

    /// How long it took until it came back.
    async fn came_back_after(&self) -> Duration {
        until("its second life", || self.0.lock().unwrap().len() == 2).await;
        let lives = self.0.lock().unwrap();
        lives[1] - lives[0]
    }
}

#[daemon(name = "late", restart(on_failure, backoff = "60s..60s"))]
struct Late(Once);

#[daemon]
impl Late {
    #[task(restart(never))]
    async fn live(&self, cx: &Context) -> Result<()> {
        self.0.live(cx).await
    }
}

impl DaemonBase for Late {}

#[daemon(name = "soon", restart(on_failure, backoff = "1s..1s"))]
struct Soon(Once);

#[daemon]
impl Soon {
    #[task(restart(never))]
    async fn live(&self, cx: &Context) -> Result<()> {
        self.0.live(cx).await
    }
}

impl DaemonBase for Soon {}

#[tokio::test(start_paused = true)]
async fn of_several_that_wait_each_comes_back_in_its_own_time() {
    let (late, soon) = (Once::default(), Once::default());
    let host = Host::new("test").daemon(Late(late.clone())).daemon(Soon(soon.clone())).start().await.unwrap();
    let (soon, late) = (soon.came_back_after().await, late.came_back_after().await);
    assert!(soon <= S(1) + MOMENT && late >= S(45) && late <= S(60) + MOMENT, "{soon:?}, {late:?}");
    assert!(host.shutdown().await.unwrap().is_clean());
}
