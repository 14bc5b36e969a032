//! The dependency graph of a host: pure, built from names, never changed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::declaration::Plane;

/// One daemon as the graph sees it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) requires: Vec<usize>,
    pub(crate) wants: Vec<usize>,
    /// Both kinds of dependents.
    pub(crate) dependents: Vec<usize>,
    pub(crate) wave: u32,
    pub(crate) plane: Plane,
}

impl Node {
    /// Of what a daemon names, before its place is known.
    fn new(Edges { name, requires, wants, plane }: Edges) -> Self {
        Self { name, requires, wants, dependents: Vec::new(), wave: 0, plane }
    }

    /// What it requires, then what it wants.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = usize> + '_ {
        self.requires.iter().chain(&self.wants).copied()
    }
}

/// An acyclic graph with its waves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
}

/// What a daemon names: indexes into the list the graph is built from.
#[derive(Clone, Debug)]
pub(crate) struct Edges {
    pub(crate) name: Arc<str>,
    pub(crate) requires: Vec<usize>,
    pub(crate) wants: Vec<usize>,
    pub(crate) plane: Plane,
}

impl Graph {
    /// Builds the graph; the error holds each cycle once, as the daemons along it.
    pub(crate) fn new(edges: Vec<Edges>) -> Result<Self, Vec<Vec<usize>>> {
        let mut nodes: Vec<Node> = edges.into_iter().map(Node::new).collect();
        for at in 0..nodes.len() {
            let on: Vec<_> = nodes[at].dependencies().collect();
            for dependency in on {
                // Named once more by the same it is named last.
                if nodes[dependency].dependents.last() != Some(&at) {
                    nodes[dependency].dependents.push(at);
                }
            }
        }
        let mut graph = Self { nodes };
        let order = graph.order();
        if order.len() < graph.nodes.len() {
            return Err(graph.cycles(&order));
        }
        for at in order {
            let wave = graph.nodes[at].dependencies().map(|on| graph.nodes[on].wave).max().unwrap_or(0);
            graph.nodes[at].wave = wave + 1;
        }
        Ok(graph)
    }

    /// Every node after all that it depends on, but for those on a cycle and those that depend on one.
    fn order(&self) -> Vec<usize> {
        let mut missing: Vec<usize> = self.nodes.iter().map(|node| node.dependencies().count()).collect();
        let mut order: Vec<usize> = (0..self.nodes.len()).filter(|&at| missing[at] == 0).collect();
        let mut next = 0;
        while let Some(&done) = order.get(next) {
            next += 1;
            for &dependent in &self.nodes[done].dependents {
                missing[dependent] -= self.nodes[dependent].dependencies().filter(|&on| on == done).count();
                if missing[dependent] == 0 {
                    order.push(dependent);
                }
            }
        }
        order
    }

    /// One cycle for each group of daemons that depend on each other, shortest first from its first member. Those that
    /// could be ordered are on none, nor are those that only depend on one.
    fn cycles(&self, ordered: &[usize]) -> Vec<Vec<usize>> {
        let mut told = vec![false; self.nodes.len()];
        ordered.iter().for_each(|&at| told[at] = true);
        self.mark_those_beyond(&mut told);
        let mut cycles = Vec::new();
        for start in 0..self.nodes.len() {
            if told[start] {
                continue;
            }
            if let Some(path) = self.way_back(start) {
                path.iter().for_each(|&at| told[at] = true);
                cycles.push(path);
            }
        }
        cycles
    }

    /// Marks those on whom nobody depends that is not marked, over and over: they depend on a cycle and are on none.
    fn mark_those_beyond(&self, marked: &mut [bool]) {
        let open = |at: usize, marked: &[bool]| self.nodes[at].dependents.iter().any(|&by| !marked[by]);
        let mut ends: Vec<usize> = (0..self.nodes.len()).filter(|&at| !open(at, marked)).collect();
        while let Some(at) = ends.pop() {
            marked[at] = true;
            ends.extend(self.nodes[at].dependencies().filter(|&on| !marked[on] && !open(on, marked)));
        }
    }

    /// The shortest way from `start` along dependencies back to it.
    fn way_back(&self, start: usize) -> Option<Vec<usize>> {
        let mut from: HashMap<usize, usize> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for next in self.nodes[at].dependencies() {
                if next == start {
                    let mut path = vec![at];
                    while let Some(&before) = from.get(path.last().unwrap_or(&start)) {
                        path.push(before);
                    }
                    path.reverse();
                    return Some(path);
                }
                if let Entry::Vacant(place) = from.entry(next) {
                    place.insert(at);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// All that require `at`, over any number of steps.
    pub(crate) fn those_that_require(&self, at: usize) -> Vec<usize> {
        let requires = |on: usize, by: &usize| self.nodes[*by].requires.contains(&on);
        self.reach(at, |on| self.nodes[on].dependents.iter().copied().filter(|by| requires(on, by)).collect())
    }

    /// All that `at` requires, over any number of steps.
    pub(crate) fn what_it_requires(&self, at: usize) -> Vec<usize> {
        self.reach(at, |on| self.nodes[on].requires.clone())
    }

    fn reach(&self, from: usize, next: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
        let (mut reached, mut queue, mut seen) = (Vec::new(), vec![from], vec![false; self.nodes.len()]);
        while let Some(at) = queue.pop() {
            for on in next(at) {
                if !std::mem::replace(&mut seen[on], true) {
                    reached.push(on);
                    queue.push(on);
                }
            }
        }
        reached
    }

    /// Adds a daemon that depends on those already there, and gives it its wave.
    pub(crate) fn add(&mut self, edges: Edges) -> usize {
        let at = self.nodes.len();
        let mut node = Node::new(edges);
        let on: Vec<_> = node.dependencies().collect();
        node.wave = 1 + on.iter().map(|&on| self.nodes[on].wave).max().unwrap_or(0);
        for on in on {
            if !self.nodes[on].dependents.contains(&at) {
                self.nodes[on].dependents.push(at);
            }
        }
        self.nodes.push(node);
        at
    }

    /// The greatest sum of `weight` along a chain of dependencies that begins with each of those `from`.
    pub(crate) fn longest_chains(&self, from: &[usize], weight: impl Fn(usize) -> Duration) -> Vec<Duration> {
        let mut sums: HashMap<usize, Duration> = HashMap::new();
        // A stack of its own: chains may be as long as there are daemons.
        let mut stack = from.to_vec();
        while let Some(&at) = stack.last() {
            let open = stack.len();
            if !sums.contains_key(&at) {
                stack.extend(self.nodes[at].dependencies().filter(|on| !sums.contains_key(on)));
            }
            if stack.len() == open {
                stack.pop();
                let below = self.nodes[at].dependencies().map(|on| sums[&on]).max();
                sums.entry(at).or_insert_with(|| weight(at).saturating_add(below.unwrap_or_default()));
            }
        }
        from.iter().map(|at| sums[at]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn graph(edges: &[(&str, &[usize], &[usize])]) -> Result<Graph, Vec<Vec<usize>>> {
        let edges = edges.iter().map(|(name, requires, wants)| Edges {
            name: (*name).into(),
            requires: requires.to_vec(),
            wants: wants.to_vec(),
            plane: Plane::Workers,
        });
        Graph::new(edges.collect())
    }

    #[test]
    fn a_wave_is_one_more_than_the_highest_of_both_kinds() {
        let graph = graph(&[("data", &[], &[]), ("user", &[0], &[2]), ("metrics", &[0], &[]), ("proxy", &[], &[])]);
        let waves: Vec<_> = graph.expect("acyclic").nodes.iter().map(|node| node.wave).collect();
        assert_eq!(waves, [1, 3, 2, 1]);
    }

    #[test]
    fn a_dependency_named_as_both_kinds_counts_once() {
        let graph = graph(&[("data", &[], &[]), ("user", &[0], &[0])]).expect("acyclic");
        assert_eq!(graph.nodes[1].wave, 2);
        assert_eq!(graph.nodes[0].dependents, [1]);
    }

    #[test]
    fn every_separate_cycle_is_found_through_either_kind() {
        let cycles = graph(&[("a", &[1], &[]), ("b", &[], &[0]), ("c", &[2], &[]), ("d", &[0], &[])]);
        assert_eq!(cycles.expect_err("two cycles"), [vec![0, 1], vec![2]]);
    }

    /// A graph of `size` daemons that may name any other: an entry of `edges` for each pair, 1 for `requires`, 2 for `wants`, 3 for both.
    fn tangled(size: usize, edges: &[u8]) -> Vec<Edges> {
        let of = |at: usize, kind| (0..size).filter(|on| edges[at * size + on] & kind != 0).collect();
        let edges = |at: usize| Edges {
            name: at.to_string().into(),
            requires: of(at, 1),
            wants: of(at, 2),
            plane: Plane::Workers,
        };
        (0..size).map(edges).collect()
    }

    /// Which daemon reaches which over any number of steps, by repetition until nothing is new.
    fn closure(edges: &[Edges], next: impl Fn(&Edges) -> Vec<usize>) -> Vec<BTreeSet<usize>> {
        let mut reach: Vec<BTreeSet<usize>> = edges.iter().map(|edges| next(edges).into_iter().collect()).collect();
        loop {
            let before = reach.clone();
            for at in 0..reach.len() {
                let more: Vec<_> = before[at].iter().flat_map(|on| before[*on].iter().copied()).collect();
                reach[at].extend(more);
            }
            if reach == before {
                return reach;
            }
        }
    }

    fn both(edges: &Edges) -> Vec<usize> {
        edges.requires.iter().chain(&edges.wants).copied().collect()
    }

    /// The greatest sum along any chain from `at`, by walking them all.
    fn heaviest(graph: &Graph, at: usize, weights: &[u64]) -> u64 {
        weights[at] + graph.nodes[at].dependencies().map(|on| heaviest(graph, on, weights)).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn a_graph_is_refused_exactly_if_somebody_depends_on_itself(
            size in 1_usize..7,
            edges in prop::collection::vec(prop_oneof![6 => Just(0_u8), 1 => 1_u8..4], 36),
        ) {
            let edges = tangled(size, &edges);
            let reach = closure(&edges, both);
            let cyclic: BTreeSet<usize> = (0..size).filter(|at| reach[*at].contains(at)).collect();
            match Graph::new(edges.clone()) {
                Ok(graph) => {
                    prop_assert!(cyclic.is_empty());
                    for (at, node) in graph.nodes.iter().enumerate() {
                        let highest = node.dependencies().map(|on| graph.nodes[on].wave).max().unwrap_or(0);
                        prop_assert_eq!(node.wave, highest + 1);
                        for (on, edges) in edges.iter().enumerate() {
                            let named = both(edges).contains(&at);
                            prop_assert_eq!(node.dependents.iter().filter(|by| **by == on).count(), usize::from(named));
                        }
                    }
                }
                Err(cycles) => {
                    let told: Vec<usize> = cycles.iter().flatten().copied().collect();
                    prop_assert!(told.iter().all(|at| cyclic.contains(at)));
                    // Whoever is on a cycle is told of, or can reach and be reached by somebody who is.
                    for at in cyclic {
                        prop_assert!(told.iter().any(|on| *on == at || (reach[at].contains(on) && reach[*on].contains(&at))));
                    }
                    for cycle in &cycles {
                        for (&at, &next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
                            prop_assert!(both(&edges[at]).contains(&next), "{cycle:?}");
                        }
                    }
                }
            }
        }

        #[test]
        fn reach_and_chains_are_those_found_by_walking(
            size in 1_usize..7,
            edges in prop::collection::vec(prop_oneof![2 => Just(0_u8), 1 => 1_u8..4], 36),
            weights in prop::collection::vec(0_u64..100, 7),
            last_is_added in any::<bool>(),
        ) {
            // The later may name the earlier only: no cycles.
            let kind = |at: usize, on: usize| if on < at { edges[at * size + on] } else { 0 };
            let edges = tangled(size, &(0..size * size).map(|pair| kind(pair / size, pair % size)).collect::<Vec<_>>());
            let graph = if last_is_added {
                let mut graph = Graph::new(edges[..size - 1].to_vec()).expect("acyclic");
                prop_assert_eq!(graph.add(edges[size - 1].clone()), size - 1);
                for (added, built) in graph.nodes.iter().zip(Graph::new(edges.clone()).expect("acyclic").nodes) {
                    prop_assert_eq!((added.wave, &added.dependents), (built.wave, &built.dependents));
                }
                graph
            } else {
                Graph::new(edges.clone()).expect("acyclic")
            };
            let requires = closure(&edges, |edges| edges.requires.clone());
            let all: Vec<_> = (0..size).collect();
            let together = graph.longest_chains(&all, |at| Duration::from_secs(weights[at]));
            for at in 0..size {
                let found: BTreeSet<_> = graph.what_it_requires(at).into_iter().collect();
                prop_assert_eq!(&found, &requires[at]);
                let found: BTreeSet<_> = graph.those_that_require(at).into_iter().collect();
                prop_assert_eq!(found, (0..size).filter(|by| requires[*by].contains(&at)).collect::<BTreeSet<_>>());
                let chain = graph.longest_chains(&[at], |at| Duration::from_secs(weights[at]));
                prop_assert_eq!(&chain, &[Duration::from_secs(heaviest(&graph, at, &weights))]);
                prop_assert_eq!(together[at], chain[0]);
            }
        }
    }

    #[test]
    fn what_many_ways_lead_to_is_come_to_once() {
        let steps = 64_usize;
        // Two beside each other at each step, and each requires both of the step below: twice as many ways for each.
        let edges = (0..2 * steps).map(|at| {
            let below = (at / 2).checked_sub(1).map_or(Vec::new(), |step| vec![2 * step, 2 * step + 1]);
            Edges { name: at.to_string().into(), requires: below, wants: Vec::new(), plane: Plane::Workers }
        });
        let graph = Graph::new(edges.collect()).expect("acyclic");
        assert_eq!(graph.those_that_require(0).len(), 2 * (steps - 1));
        assert_eq!(graph.what_it_requires(2 * steps - 1).len(), 2 * (steps - 1));
        assert_eq!(graph.longest_chains(&[2 * steps - 1], |_| Duration::MAX), [Duration::MAX], "it has no greater sum");
    }

    #[test]
    fn the_longest_chain_follows_weights_not_counts() {
        let graph = graph(&[("a", &[], &[]), ("b", &[0], &[]), ("c", &[], &[]), ("d", &[1, 2], &[])]).expect("acyclic");
        let weight = |at: usize| Duration::from_secs([1, 1, 9, 1][at]);
        assert_eq!(graph.longest_chains(&[3], weight), [Duration::from_secs(10)]);
    }

    /// As long as the stack of a thread would not be, nor patience.
    #[test]
    fn a_chain_of_a_hundred_thousand() {
        let size = 100_000;
        let edges = |at: usize| Edges {
            name: "x".into(),
            requires: at.checked_sub(1).into_iter().collect(),
            wants: Vec::new(),
            plane: Plane::Workers,
        };
        let graph = Graph::new((0..size).map(edges).collect()).expect("acyclic");
        assert_eq!(graph.nodes[size - 1].wave as usize, size);
        let chain = graph.longest_chains(&[size - 1], |_| Duration::from_secs(1));
        assert_eq!(chain, [Duration::from_secs(size as u64)]);
        assert_eq!(graph.those_that_require(0).len(), size - 1);
        // At its foot all others depend on the cycle, at its head none does.
        for foot in [0, size - 2] {
            let mut tangled: Vec<_> = (0..size).map(edges).collect();
            tangled[foot].wants.push(foot + 1);
            assert_eq!(Graph::new(tangled).expect_err("one cycle"), [[foot, foot + 1]]);
        }
    }

    /// Where each were walked as often as it is named, it would not end.
    #[test]
    fn a_chain_over_a_cycle_in_which_each_names_the_next_twice_is_walked_in_no_time() {
        let below = |at: usize| vec![at.saturating_sub(1)];
        let edges = |at: usize| Edges {
            name: at.to_string().into(),
            requires: below(at),
            wants: below(at),
            plane: Plane::Workers,
        };
        assert_eq!(Graph::new((0..100).map(edges).collect()).expect_err("one cycle"), [[0]]);
    }
}
