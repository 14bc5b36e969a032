//! What all daemons of one run share, and what is done to their host from outside.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use daemon_core::{Call, Context, HostHandle, HostStatus, ReloadOutcome, Result, State};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::actor::PLAYED;
use crate::node::{self, Flood, NAMES};
use crate::plan::{Deed, Plan, Step};
use crate::trace::{End, Line, Moment, Trace};

/// How much daemons publish, spawn, register and call in one run: what causes more of itself would go on for ever.
const STORM: usize = 600;

/// How long a health check may take in these hosts.
pub(crate) const CHECK_TIMEOUT: Duration = Duration::from_millis(300);

/// How often daemons have their host reload in one run.
const RELOADS: usize = 6;

/// What the daemons are configured with: the how manieth that was loaded.
pub(crate) struct Settings(pub(crate) u64);

/// What stands for a configuration of which nobody knows.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// How calls of one handler ended: well, badly, cut.
pub(crate) type Tally = [AtomicU64; 3];

pub(crate) struct Stage {
    pub(crate) plan: Plan,
    pub(crate) trace: Trace,
    /// What was found wrong on the spot.
    pub(crate) faults: Mutex<Vec<String>>,
    /// How many events were offered on each topic.
    pub(crate) offers: [AtomicU64; 2],
    /// How many publishers wait on each.
    pub(crate) publishing: [AtomicUsize; 2],
    /// Whether anybody asked for the host's shutdown.
    pub(crate) ends: AtomicBool,
    /// By daemon and handler.
    pub(crate) tallies: [[Tally; 4]; NAMES.len()],
    pub(crate) host: OnceLock<HostHandle>,
    /// Told when the start is to be given up.
    pub(crate) give_up: Notify,
    pub(crate) steps: Mutex<Vec<(Step, JoinHandle<()>)>>,
    /// How many configurations were loaded, or not.
    loads: AtomicU64,
    /// Which one each daemon has.
    pub(crate) configured: [AtomicU64; NAMES.len()],
    /// How many requests to reload are under way, and what the answered ones came to.
    pub(crate) reloads: Mutex<(usize, Vec<ReloadOutcome>)>,
    /// The contexts that somebody keeps, by daemon.
    pub(crate) contexts: Mutex<Vec<(usize, Context)>>,
    /// When the host was made.
    pub(crate) begun: Instant,
    runtime: tokio::runtime::Handle,
    stirred: AtomicUsize,
    reloaded: AtomicUsize,
}

thread_local! {
    static STAGE: RefCell<Option<Arc<Stage>>> = const { RefCell::new(None) };
}

impl Stage {
    /// Sets the stage for the daemons that are made on this thread.
    pub(crate) fn set(plan: Plan) -> Arc<Self> {
        let stage = Arc::new(Self {
            plan,
            trace: Trace::default(),
            faults: Mutex::default(),
            offers: Default::default(),
            publishing: Default::default(),
            ends: AtomicBool::new(false),
            tallies: Default::default(),
            host: OnceLock::new(),
            give_up: Notify::new(),
            steps: Mutex::default(),
            loads: AtomicU64::new(0),
            configured: Default::default(),
            reloads: Mutex::default(),
            contexts: Mutex::default(),
            begun: Instant::now(),
            runtime: tokio::runtime::Handle::current(),
            stirred: AtomicUsize::new(0),
            reloaded: AtomicUsize::new(0),
        });
        STAGE.set(Some(stage.clone()));
        stage
    }

    pub(crate) fn current() -> Arc<Self> {
        STAGE.with_borrow(|stage| stage.clone().unwrap())
    }

    /// Writes down a moment, and steps in if it is that one.
    pub(crate) fn moment(self: &Arc<Self>, node: usize, life: u32, moment: Moment) {
        let ready = self.host.get().is_some_and(|host| host.readiness().ready);
        let number = self.trace.push(Line::Node { node, life, moment, ready });
        if let Some((at, step)) = self.plan.at_moment
            && at == number
        {
            self.take(step);
        }
    }

    pub(crate) fn fault(&self, text: String) {
        self.faults.lock().unwrap().push(text);
    }

    /// Whether there may be more of what causes more of itself.
    pub(crate) fn stirs(&self) -> bool {
        self.stirred.fetch_add(1, Ordering::Relaxed) < STORM
    }

    /// Whether a daemon may have the host reload once more.
    pub(crate) fn reloads(&self) -> bool {
        self.reloaded.fetch_add(1, Ordering::Relaxed) < RELOADS
    }

    pub(crate) fn ended(&self, node: usize, handler: usize, end: End) {
        let which = match end {
            End::Well => 0,
            End::Error | End::Panic => 1,
            End::Cut => 2,
        };
        self.tallies[node][handler][which].fetch_add(1, Ordering::Relaxed);
    }

    /// Steps in from outside.
    pub(crate) fn take(self: &Arc<Self>, step: Step) {
        self.trace.note(format!("{step:?}"));
        let Some(host) = self.host.get().cloned() else { return };
        if matches!(step, Step::Shutdown) {
            // both ways to end a host that may still be starting
            self.ends.store(true, Ordering::Relaxed);
            self.give_up.notify_one();
            return host.request_shutdown();
        }
        if matches!(step, Step::GiveUp) {
            let steps = self.steps.lock().unwrap();
            return steps
                .iter()
                .rev()
                .find(|(_, task)| !task.is_finished())
                .into_iter()
                .for_each(|(_, task)| task.abort());
        }
        let stage = self.clone();
        let task = self.runtime.spawn(async move { stage.carry_out(step, &host).await });
        self.steps.lock().unwrap().push((step, task));
    }

    /// Whatever comes of it: the host may be stopping, or the daemon may fail.
    async fn carry_out(self: &Arc<Self>, step: Step, host: &HostHandle) {
        match step {
            Step::Restart(at) => drop(host.restart_daemon(NAMES[at]).await),
            Step::Stop(at) => drop(host.stop_daemon(NAMES[at]).await),
            Step::Start(at) => drop(host.start_daemon(NAMES[at]).await),
            Step::Add(at) if self.plan.nodes[at].late => drop(node::add_to(host, at).await),
            Step::Call(at) => drop(host.call::<(), u64>(NAMES[at], "ask", &()).await),
            Step::Fail(at, for_good) => {
                let life = host.status().daemon(NAMES[at]).map_or(0, |daemon| daemon.restarts + 1);
                drop(host.fail_daemon(NAMES[at], life, "the play has it fail", for_good));
            }
            Step::Pause(at) => drop(host.pause_interval(NAMES[at], "tick")),
            Step::Resume(at) => drop(host.resume_interval(NAMES[at], "tick")),
            Step::Run(at) => drop(host.run_interval(NAMES[at], "tick")),
            Step::Period(at, period) => drop(host.set_interval_period(NAMES[at], "tick", period)),
            // Whatever comes of it; it may be for ever, where a handler hangs.
            Step::PublishAndWait(topic) => {
                self.offers[topic].fetch_add(1, Ordering::Relaxed);
                match topic {
                    0 => drop(host.publish_and_wait(Flood::<0>(0)).await),
                    _ => drop(host.publish_and_wait(Flood::<1>(0)).await),
                }
            }
            Step::Publish(topic, times) => {
                for key in (0..3).cycle().take(times) {
                    self.offers[topic].fetch_add(1, Ordering::Relaxed);
                    match topic {
                        0 => host.publish(Flood::<0>(key)).await.unwrap(),
                        _ => host.publish(Flood::<1>(key)).await.unwrap(),
                    }
                }
            }
            Step::Reload => self.reload(host.clone()).await,
            Step::Checks => {
                let begun = Instant::now();
                let reports = host.run_checks().await;
                let took = begun.elapsed();
                // Timers have a grain, and where threads are blocked time is real.
                if took > CHECK_TIMEOUT + Duration::from_millis(2) && !self.plan.blocks {
                    self.fault(format!("G12: the answers of {} checks took {took:?}", reports.len()));
                }
            }
            Step::Add(_) | Step::Shutdown | Step::GiveUp => {}
        }
    }

    /// One of the shutdown handlers.
    pub(crate) async fn farewell(self: Arc<Self>, at: usize) -> Result<()> {
        self.trace.push(Line::Farewell(at));
        match self.plan.farewell[at] {
            Deed::Error => return Err("an error of the play".into()),
            Deed::Panic => std::panic::panic_any(PLAYED),
            Deed::Slow(time) => tokio::time::sleep(time).await,
            Deed::Hang => std::future::pending().await,
            _ => {}
        }
        Ok(())
    }

    /// Loads the next configuration.
    pub(crate) async fn load(self: Arc<Self>) -> Result<Settings> {
        let number = self.loads.fetch_add(1, Ordering::Relaxed) + 1;
        self.trace.push(Line::Load(number));
        let deeds = &self.plan.load;
        match deeds[usize::try_from(number).unwrap() % deeds.len()] {
            Deed::Error => return Err("an error of the play".into()),
            Deed::Panic => std::panic::panic_any(PLAYED),
            Deed::Slow(time) => tokio::time::sleep(time).await,
            Deed::Hang => std::future::pending().await,
            Deed::Block(time) => std::thread::sleep(time),
            _ => {}
        }
        Ok(Settings(number))
    }

    /// Has the host reload. Requests are answered in their order, so the outcomes are in that of the loads; whoever asks may be cut
    /// meanwhile.
    pub(crate) async fn reload(self: &Arc<Self>, host: HostHandle) {
        let stage = self.clone();
        stage.reloads.lock().unwrap().0 += 1;
        let asking = async move {
            let outcome = host.reload().await.map_or(ReloadOutcome::Abandoned, |report| report.outcome);
            let mut reloads = stage.reloads.lock().unwrap();
            reloads.0 -= 1;
            if outcome != ReloadOutcome::Abandoned {
                reloads.1.push(outcome);
                stage.trace.push(Line::Reloaded(outcome));
            }
        };
        drop(self.runtime.spawn(asking).await); // it is a step that does not panic
    }

    /// The configuration in force, as far as that was told; `None` while a reload is under way.
    fn in_force(&self) -> Option<u64> {
        let reloads = self.reloads.lock().unwrap();
        let last = reloads.1.iter().rposition(|outcome| *outcome == ReloadOutcome::Reloaded);
        (reloads.0 == 0).then(|| last.map_or(0, |at| at as u64 + 1))
    }

    /// Whether all that run have the configuration in force; who has not.
    pub(crate) fn disagrees(&self, status: &HostStatus) -> Option<String> {
        let Some(in_force) = self.in_force() else { return Some("a reload is under way".to_owned()) };
        let running = status.daemons.iter().filter(|daemon| daemon.state == State::Running);
        running.into_iter().find_map(|daemon| {
            let at = NAMES.iter().position(|name| *name == daemon.name).unwrap();
            let has = self.configured[at].load(Ordering::Relaxed);
            (has != in_force).then(|| format!("n{at} has configuration {has}, and {in_force} is in force"))
        })
    }
}
