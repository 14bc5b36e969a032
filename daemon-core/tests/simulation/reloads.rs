//! What reloads promise, as far as the trace shows whether it was kept. The numbers are those of the loads; a reload that was
//! refused or rolled back leaves a gap.

use std::collections::BTreeSet;
use std::time::Duration;

use daemon_core::ReloadOutcome;
use tokio::time::Instant;

use crate::ending::BUSY;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::trace::{End, Line, Moment, Turn};

/// What is known of one daemon while the trace is read.
#[derive(Default)]
struct Seen {
    /// What it has; `None` if nobody knows.
    has: Option<u64>,
    /// What its present life was asked about, and had nothing against.
    agreed: BTreeSet<u64>,
    /// When its life began, if that is before its start.
    began: Option<Instant>,
    /// Its turns under way.
    turns: Vec<Turn>,
    up: bool,
}

/// What is known of all.
struct Reading<'a> {
    plan: &'a Plan,
    /// What each load came to in the end, from the first on; none once the host stops.
    outcomes: Vec<ReloadOutcome>,
    seen: Vec<Seen>,
    /// How many reloads were over by now.
    over: usize,
    /// When each was.
    over_at: Vec<Instant>,
    /// The configurations that somebody refused or could not take on.
    failed: BTreeSet<u64>,
    faults: Vec<String>,
}

pub(crate) fn check(stage: &Stage) -> Vec<String> {
    let plan = &stage.plan;
    let outcomes = stage.reloads.lock().unwrap().1.clone();
    let seen = plan.nodes.iter().map(|_| Seen::default()).collect();
    let mut reading =
        Reading { plan, outcomes, seen, over: 0, over_at: Vec::new(), failed: BTreeSet::new(), faults: Vec::new() };
    for (number, (at, line)) in stage.trace.lines().into_iter().enumerate() {
        let before = reading.faults.len();
        match line {
            Line::Note(_) | Line::Farewell(_) => {}
            Line::Load(number) => reading.loads(number),
            Line::Reloaded(outcome) => reading.is_over(outcome, at),
            Line::Node { node, moment, .. } => reading.moment(node, moment, at),
        }
        reading.faults[before..].iter_mut().for_each(|fault| fault.push_str(&format!(" (line {number})")));
    }
    reading.faults
}

impl Reading<'_> {
    fn fault(&mut self, text: String) {
        self.faults.push(format!("reload: {text}"));
    }

    /// Whether the configuration is in force at some time.
    fn takes_effect(&self, number: u64) -> bool {
        number == 0 || self.outcome(number) == Some(ReloadOutcome::Reloaded)
    }

    fn outcome(&self, number: u64) -> Option<ReloadOutcome> {
        self.outcomes.get(usize::try_from(number).unwrap().checked_sub(1)?).copied()
    }

    /// The least configuration that a life can start with: one that began just before a reload was over is given it later.
    fn in_force(&self, now: Instant) -> u64 {
        let grace = if self.plan.blocks { BUSY } else { Duration::ZERO };
        let over = self.over_at.iter().take_while(|at| **at + grace < now).count();
        let over = &self.outcomes[..over];
        over.iter().rposition(|outcome| *outcome == ReloadOutcome::Reloaded).map_or(0, |at| at as u64 + 1)
    }

    /// A reload begins: none is under way.
    fn loads(&mut self, number: u64) {
        if self.over as u64 + 1 != number && !self.plan.blocks {
            self.fault(format!("configuration {number} is loaded after {} reloads", self.over));
        }
        let busy = self.seen.iter().position(|seen| !seen.turns.is_empty());
        // Where threads are blocked what was given up may still be there.
        if let Some(at) = busy.filter(|_| !self.plan.blocks) {
            self.fault(format!("one begins while n{at} has its turn in another: {:?}", self.seen[at].turns));
        }
    }

    fn is_over(&mut self, outcome: ReloadOutcome, at: Instant) {
        self.over += 1;
        self.over_at.push(at);
        if outcome == ReloadOutcome::Reloaded && self.failed.contains(&(self.over as u64)) {
            self.fault(format!("{} is in force, and somebody refused it", self.over));
        }
    }

    fn moment(&mut self, node: usize, moment: Moment, at: Instant) {
        match moment {
            Moment::Makes => self.seen[node].began = Some(at),
            Moment::Configured(number) => {
                let began = self.seen[node].began.take().unwrap_or(at);
                self.born(node, number, began);
            }
            Moment::Asked(turn) => {
                match turn {
                    Turn::Check(_) => {}
                    Turn::Take { has, next } if next > has => self.takes(node, has, next),
                    Turn::Take { has, next } => self.goes_back(node, has, next),
                }
                self.seen[node].turns.push(turn);
            }
            Moment::Answered { turn, end, stops } => self.answered(node, turn, end, stops),
            Moment::Cleanup => self.seen[node].up = false,
            _ => {}
        }
    }

    fn born(&mut self, node: usize, number: u64, at: Instant) {
        let least = self.in_force(at);
        if number < least {
            self.fault(format!("n{node} starts with {number} though {least} is in force"));
        }
        // What a shutdown left open is not known.
        if self.outcome(number).is_some() && !self.takes_effect(number) {
            self.fault(format!("n{node} starts with {number}, which never was in force"));
        }
        self.seen[node] = Seen { has: Some(number), up: true, ..Seen::default() };
    }

    fn takes(&mut self, node: usize, has: u64, next: u64) {
        if self.seen[node].has.is_some_and(|known| known != has) {
            self.fault(format!("n{node} is shown {has} as what it has, which it has not"));
        }
        let lacks =
            self.plan.nodes[node].requires.iter().find(|on| self.seen[**on].up && self.seen[**on].has != Some(next));
        // One that has just begun to run catches up, and beside others where there are threads.
        if let Some(on) = lacks.filter(|_| !self.plan.blocks) {
            self.fault(format!("n{node} is given {next} before n{on}, which it requires"));
        }
        if self.takes_effect(next) {
            return; // also of one that runs since then, which is not asked
        }
        if !self.seen[node].agreed.contains(&next) {
            self.fault(format!("n{node} is given {next} though it did not agree"));
        }
        if let Some(at) = self.seen.iter().position(|seen| seen.turns.contains(&Turn::Check(next))) {
            self.fault(format!("n{node} is given {next} while n{at} is being asked"));
        }
        if self.failed.contains(&next) {
            self.fault(format!("n{node} is given {next}, which another refused"));
        }
        if self.outcome(next) == Some(ReloadOutcome::Refused) {
            self.fault(format!("n{node} is given {next}, and it is said that nothing has changed"));
        }
    }

    fn goes_back(&mut self, node: usize, has: u64, next: u64) {
        if self.takes_effect(has) || !self.takes_effect(next) {
            self.fault(format!("n{node} is given {next} back in the place of {has}"));
        }
        // Where threads are blocked a call that hung is dropped, and shows, after others were given back what they had.
        if !self.failed.contains(&has) && !self.plan.blocks {
            self.fault(format!("n{node} is given {next} back though nobody refused {has}"));
        }
    }

    fn answered(&mut self, node: usize, turn: Turn, end: End, stops: bool) {
        let seen = &mut self.seen[node];
        seen.turns.retain(|other| *other != turn);
        let failed = !stops && end != End::Well;
        match turn {
            Turn::Check(number) if end == End::Well => drop(seen.agreed.insert(number)),
            Turn::Check(number) if failed => drop(self.failed.insert(number)),
            Turn::Check(_) => {}
            Turn::Take { has, next } => {
                seen.has = match end {
                    End::Well => Some(next),
                    End::Error => Some(has),
                    End::Panic | End::Cut => None,
                };
                if failed && next > has {
                    self.failed.insert(next);
                }
            }
        }
    }
}
