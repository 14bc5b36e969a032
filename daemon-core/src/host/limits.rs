//! The limits that a host was given explicitly, and what is wrong with them: by themselves, and beside those that daemons declare.

use std::time::Duration;

use super::graph::Graph;

/// More threads than any machine can run at once.
const MOST_WORKERS: usize = 4_096;

/// The limits that were set explicitly.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) stop_budget: Option<Duration>,
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) start_budget: Option<Duration>,
    pub(crate) workers: Option<usize>,
    pub(crate) unready_delay: Duration,
    /// `Some(None)` if nobody is to be warned.
    pub(crate) blocked_after: Option<Option<Duration>>,
}

impl Limits {
    /// What is wrong with them whatever daemons there are.
    pub(super) fn faults(&self) -> Vec<String> {
        let is_zero = |limit: Option<Duration>| limit.is_some_and(|limit| limit.is_zero());
        let mut faults = Vec::new();
        let mut fault = |text: &str| faults.push(text.to_owned());
        if is_zero(self.stop_budget) {
            fault("the stop budget is zero; give the host time to stop");
        }
        if is_zero(self.shutdown_timeout) {
            fault("the shutdown timeout is zero; give the shutdown handlers time to end");
        }
        if is_zero(self.start_timeout) {
            fault("the start timeout is zero; give the daemons time to start");
        }
        if is_zero(self.start_budget) {
            fault("the start budget is zero; give the host time to start");
        } else if let (Some(timeout), Some(budget)) = (self.start_timeout, self.start_budget)
            && timeout > budget
        {
            fault(&format!(
                "the start timeout of {timeout:?} is longer than the start budget of {budget:?}; raise the budget or lower \
                 the timeout"
            ));
        }
        if is_zero(self.blocked_after.flatten()) {
            fault("blocked workers are to be warned of after no time; give them some, or `None`");
        }
        let budget = self.stop_budget.unwrap_or(super::DEFAULT_STOP_BUDGET);
        if !budget.is_zero() && self.unready_delay >= budget {
            fault(&format!(
                "the unready delay of {:?} leaves nothing of the stop budget of {budget:?}; raise the budget or shorten the delay",
                self.unready_delay
            ));
        }
        match self.workers {
            Some(0) => fault("the host has no workers; give it at least one"),
            Some(workers) if workers > MOST_WORKERS => {
                fault(&format!("the host has {workers} workers, which are threads; give it at most {MOST_WORKERS}"));
            }
            _ => {}
        }
        faults
    }

    /// Says so if stop timeouts that were declared exceed, along a chain that begins with one of those `from`, a budget that was
    /// declared too; the shutdown handlers come after the last of them.
    pub(super) fn stop_fault(
        &self,
        graph: &Graph,
        from: &[usize],
        declared: impl Fn(usize) -> Option<Duration>,
    ) -> Option<String> {
        let budget = self.stop_budget?;
        if let Some(handlers) = self.shutdown_timeout.filter(|handlers| *handlers > budget) {
            return Some(format!(
                "the shutdown timeout of {handlers:?} is longer than the stop budget of {budget:?}; raise the budget or lower \
                 the timeout"
            ));
        }
        let (and, besides) = match self.shutdown_timeout {
            Some(handlers) => (" and that of the shutdown handlers", handlers),
            None => ("", Duration::ZERO),
        };
        exceeds("stop", graph, from, declared, (and, besides), budget)
    }

    /// As [`stop_fault`](Self::stop_fault), of start timeouts and the start budget.
    pub(super) fn start_fault(
        &self,
        graph: &Graph,
        from: &[usize],
        declared: impl Fn(usize) -> Option<Duration>,
    ) -> Option<String> {
        exceeds("start", graph, from, declared, ("", Duration::ZERO), self.start_budget?)
    }
}

fn exceeds(
    what: &str,
    graph: &Graph,
    from: &[usize],
    declared: impl Fn(usize) -> Option<Duration>,
    (and, besides): (&str, Duration),
    budget: Duration,
) -> Option<String> {
    let chains = graph.longest_chains(from, |at| declared(at).unwrap_or_default());
    let (sum, at) = chains.iter().zip(from).map(|(sum, &at)| (sum.saturating_add(besides), at)).max()?;
    let name = &graph.nodes[at].name;
    (sum > budget).then(|| {
        format!(
            "the {what} timeouts declared along the chain that begins with `{name}`{and} add up to {sum:?}, more than the \
             {what} budget of {budget:?}; raise the budget or lower a timeout"
        )
    })
}
