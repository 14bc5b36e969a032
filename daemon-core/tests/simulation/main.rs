//! Random hosts with random faults at random moments, and the guarantees checked as invariants after each run.
//!
//! A seed makes a plan: a graph of daemons, what each of their hooks, ticks, handlers, tasks, commands and checks does, what
//! they register, and when operators and the shutdown step in. Under a paused clock a run is deterministic, so a failing seed
//! fails again: `SEED=42 cargo test -p daemon-core --test simulation`. `SEEDS=n` runs n of them. Where threads are blocked
//! time is real, and a seed may fail now and then only.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and shows what failed")]

mod actor;
mod alive;
mod dice;
mod draw;
mod ending;
mod ghosts;
mod invariants;
mod node;
mod plan;
mod registering;
mod reloads;
mod stage;
mod starts;
mod stops;
mod supervised;
mod trace;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use daemon_core::{Host, HostHandle, StartError, State};
use ending::Ended;
use plan::{Plan, Step};
use stage::{Settings, Stage};

fn seeds(usual: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().unwrap());
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, seeds) => (0..seeds.unwrap_or(usual)).collect(),
    }
}

/// The plans' own panics and errors are part of the play.
fn only_real_panics() {
    // Another test may have set it.
    drop(tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::default()));
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<&str>().is_none_or(|text| *text != actor::PLAYED) {
            eprintln!("{info}");
        }
    }));
}

/// Plays a plan to its end; returns the faults and how many moments were seen.
fn play(title: &str, seed: u64, plan: Plan) -> (Vec<String>, usize) {
    let runtime = if plan.blocks {
        tokio::runtime::Builder::new_multi_thread().worker_threads(6).enable_all().build()
    } else {
        daemon_core::testing::fix_chances(seed);
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
    };
    let runtime = runtime.unwrap();
    let stage = {
        let _inside = runtime.enter();
        Stage::set(plan)
    };
    let ran = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(&stage))));
    let (mut faults, journal) = match ran {
        Ok(Some(ended)) => {
            let mut faults = invariants::check(&stage);
            faults.extend(reloads::check(&stage));
            faults.extend(ending::check(&stage, &ended));
            (faults, ended.told())
        }
        Ok(None) => Default::default(), // given up before anything had begun
        Err(_) => (vec!["the host panicked".to_owned()], String::new()),
    };
    stage.contexts.lock().unwrap().clear();
    faults.truncate(20);
    if !faults.is_empty() {
        eprintln!("{title} breaks:\n  {}\n{}\n{}\n{journal}", faults.join("\n  "), stage.plan, stage.trace);
    }
    (faults, stage.trace.len())
}

#[test]
fn the_guarantees_hold_whatever_goes_wrong() {
    only_real_panics();
    let breaks = |seed: &u64| !play(&format!("seed {seed}"), *seed, Plan::new(*seed)).0.is_empty();
    let failed: Vec<_> = seeds(300).into_iter().filter(breaks).collect();
    assert!(failed.is_empty(), "seeds {failed:?} fail; run one with SEED=n");
}

#[test]
fn the_guarantees_hold_when_threads_are_blocked() {
    only_real_panics();
    let breaks = |seed: &u64| !play(&format!("blocking seed {seed}"), *seed, Plan::blocking(*seed)).0.is_empty();
    let failed: Vec<_> = seeds(12).into_iter().take(200).filter(breaks).collect();
    assert!(failed.is_empty(), "seeds {failed:?} fail; run one with SEED=n");
}

/// What somebody may do at any step of a start and a stop.
const INTERRUPTIONS: [Step; 4] = [Step::Shutdown, Step::Restart(0), Step::Stop(1), Step::Publish(0, 5)];

#[test]
fn starts_that_block_every_thread_end_in_time() {
    only_real_panics();
    let play = |seed: u64| std::thread::spawn(move || (seed, play_overdue(seed)));
    let played: Vec<_> = seeds(8).into_iter().take(100).map(play).collect();
    let failed: Vec<_> = played.into_iter().map(|play| play.join().unwrap()).filter(|(_, breaks)| *breaks).collect();
    assert!(failed.is_empty(), "seeds {failed:?} fail; run one with SEED=n");
}

/// Plays a plan whose starts block all workers, with the host on a thread of its own, as in a program; returns whether it breaks
/// something.
fn play_overdue(seed: u64) -> bool {
    let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let stage = {
        let _inside = outside.enter();
        Stage::set(Plan::overdue(seed))
    };
    let watching = stage.clone();
    // Where the start does not end there is nobody else to end the host.
    outside.spawn(async move {
        tokio::time::sleep(Duration::from_secs(15)).await;
        watching.fault("start: it did not end".to_owned());
        watching.host.get().unwrap().request_shutdown();
    });
    let begun = std::time::Instant::now();
    let code = host(&stage).workers(1).without_lock().quiet().run();
    let took = begun.elapsed();
    let handle = stage.host.get().unwrap();
    let ended = Ended { report: None, status: handle.status(), journal: handle.journal(), stop_took: None, ran: false };
    let mut faults = invariants::check(&stage);
    faults.extend(ending::check(&stage, &ended));
    if code == std::process::ExitCode::SUCCESS {
        faults.push("G9: no start ended in time, and the exit code is 0".to_owned());
    }
    if !ended
        .status
        .daemons
        .iter()
        .any(|daemon| daemon.reason.as_ref().is_some_and(|reason| reason.contains("no thread is free")))
    {
        faults.push(format!("start: nobody is told to have blocked all threads, after {took:?}"));
    }
    if !faults.is_empty() {
        eprintln!(
            "overdue seed {seed} breaks:\n  {}\n{}\n{}\n{}",
            faults.join("\n  "),
            stage.plan,
            stage.trace,
            ended.told()
        );
    }
    !faults.is_empty()
}

#[test]
fn whatever_step_is_interrupted_the_end_is_clean() {
    only_real_panics();
    let mut failed = Vec::new();
    for seed in seeds(4).into_iter().take(40) {
        let (_, moments) = play(&format!("calm seed {seed}"), seed, Plan::calm(seed));
        for (at, step) in (0..moments).flat_map(|at| INTERRUPTIONS.map(|step| (at, step))) {
            let plan = Plan { at_moment: Some((at, step)), ..Plan::calm(seed) };
            let title = format!("calm seed {seed} with {step:?} at moment {at}");
            let (faults, _) = play(&title, seed, plan);
            failed.extend((!faults.is_empty()).then_some(title));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

fn host(stage: &Arc<Stage>) -> Host {
    let (plan, loading) = (&stage.plan, stage.clone());
    let mut host = Host::new("simulation").stop_budget(plan.stop_budget).start_timeout(plan.start_timeout);
    if let Some(budget) = plan.start_budget {
        host = host.start_budget(budget);
    }
    for at in (0..plan.nodes.len()).filter(|at| !plan.nodes[*at].late) {
        host = node::add(host, at);
    }
    for at in 0..plan.farewell.len() {
        let stage = stage.clone();
        host = host.on_shutdown(move || stage.farewell(at));
    }
    host = host.unready_delay(plan.unready_delay);
    host.configuration(Settings(0), move || loading.clone().load())
}

async fn run(stage: &Arc<Stage>) -> Option<Ended> {
    let plan = &stage.plan;
    let host = host(stage);
    // Asked for from outside while the start is under way, too.
    let started = tokio::select! {
        biased;
        started = host.start() => Some(started),
        () = stage.give_up.notified() => None,
        () = tokio::time::sleep(plan.patience) => None,
    };
    let ran = matches!(started, Some(Ok(_)));
    let (report, stop_took) = match started {
        None => {
            stage.trace.note("start given up");
            (None, None)
        }
        Some(Err(StartError::Failed { shutdown, .. } | StartError::Stopped { shutdown, .. })) => {
            (Some(*shutdown), None)
        }
        Some(Err(error)) => panic!("{error}"),
        Some(Ok(host)) => {
            let handle = host.handle();
            for (after, step) in &plan.steps {
                tokio::time::sleep(*after).await;
                stage.take(*step);
            }
            tokio::time::sleep(plan.run_for).await;
            all_agree(stage, &handle).await;
            if !plan.blocks {
                alive::check(stage, &handle).await;
            }
            let (begun, was_running) = (tokio::time::Instant::now(), handle.status().state == State::Running);
            stage.trace.note("shutdown");
            let report = host.shutdown().await.unwrap();
            (Some(report), was_running.then(|| begun.elapsed()))
        }
    };
    let handle = stage.host.get()?;
    let end = tokio::time::Instant::now() + plan.stop_budget + Duration::from_secs(2);
    while handle.status().state != State::Stopped {
        if tokio::time::Instant::now() > end {
            stage.fault("G4: the host does not stop".to_owned());
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    all_answered(stage).await;
    if handle.status().state == State::Stopped {
        ghosts::haunt_all(stage);
    }
    Some(Ended { report, status: handle.status(), journal: handle.journal(), stop_took, ran })
}

/// In the end all that run have the configuration in force, whatever went wrong with reloads.
async fn all_agree(stage: &Stage, handle: &HostHandle) {
    let end =
        tokio::time::Instant::now() + if stage.plan.blocks { Duration::from_secs(9) } else { Duration::from_secs(900) };
    loop {
        let status = handle.status();
        let Some(fault) = stage.disagrees(&status).filter(|_| status.state == State::Running) else { return };
        if tokio::time::Instant::now() > end {
            return stage.fault(format!("reload: {fault}, for good"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whoever asked something of the host has been answered once it has ended.
async fn all_answered(stage: &Stage) {
    let steps = std::mem::take(&mut *stage.steps.lock().unwrap());
    for (step, mut task) in steps {
        if tokio::time::timeout(Duration::from_secs(5), &mut task).await.is_err() {
            stage.fault(format!("{step:?} was never answered"));
        }
        stage.steps.lock().unwrap().push((step, task));
    }
}
