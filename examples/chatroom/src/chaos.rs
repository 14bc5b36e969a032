//! What goes wrong under `--chaos`, and when: pure, and the same for the same seed.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use daemon_core::{Event, Result};
use serde::{Deserialize, Serialize};

/// What is done to a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// A handler panics.
    Panic,
    /// A handler returns an error.
    Error,
    /// A handler waits for ever.
    Hang,
    /// A handler blocks its thread for a while.
    Block,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Panic, Self::Error, Self::Hang, Self::Block];

    /// Whether the daemon is restarted for it, which its limit counts.
    fn is_charged(self) -> bool {
        matches!(self, Self::Panic | Self::Error)
    }
}

/// Strikes a daemon.
#[derive(Event, Debug, Serialize, Deserialize)]
#[event("chaos:strike")]
pub(crate) struct Strike {
    pub(crate) victim: String,
    pub(crate) fault: Fault,
}

/// How long a thread is blocked: longer than the host takes to warn of it.
const BLOCKED: Duration = Duration::from_millis(2_500);

impl Strike {
    /// Goes wrong, inside a handler of `daemon`, if that is the one that is struck.
    pub(crate) async fn suffer(&self, daemon: &str) -> Result<()> {
        match self.fault {
            _ if self.victim != daemon => Ok(()),
            Fault::Panic => panic!("struck by chaos"),
            Fault::Error => Err("struck by chaos".into()),
            Fault::Hang => std::future::pending().await,
            Fault::Block => {
                std::thread::sleep(BLOCKED);
                Ok(())
            }
        }
    }
}

/// How long a strike is suffered before its daemon counts as one that hangs: longer than one that only blocks takes.
const HANGS: Duration = Duration::from_millis(3_500);

/// Finds out who hangs. When a strike was sent tells nothing of when it is suffered: its daemon may be down just then, or suffer another.
#[derive(Debug, Default)]
pub(crate) struct Vigil {
    /// How many strikes each daemon that suffers one is over with, and since when it is so.
    suffer: HashMap<String, (u64, Duration)>,
}

/// A daemon as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) name: String,
    /// How many strikes it is over with.
    pub(crate) over: u64,
    /// Whether it suffers one.
    pub(crate) suffers: bool,
}

impl Vigil {
    /// Looks at all that run; gives those that hang, again only after as long a time.
    pub(crate) fn look(&mut self, now: Duration, daemons: impl IntoIterator<Item = Seen>) -> Vec<String> {
        let (mut suffer, mut hang) = (HashMap::new(), Vec::new());
        for Seen { name, over, .. } in daemons.into_iter().filter(|daemon| daemon.suffers) {
            let same = self.suffer.get(&name).filter(|(before, _)| *before == over);
            let mut since = same.map_or(now, |(_, since)| *since);
            if now - since >= HANGS {
                hang.push(name.clone());
                since = now;
            }
            suffer.insert(name, (over, since));
        }
        self.suffer = suffer;
        hang
    }
}

/// A strike to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// How long after the one before.
    pub(crate) pause: Duration,
    pub(crate) victim: String,
    pub(crate) fault: Fault,
}

/// One strike after the other: every fault comes once before any comes again, and nobody is struck down more often than
/// its restart limit bears.
#[derive(Debug)]
pub(crate) struct Plan {
    victims: Vec<String>,
    random: u64,
    /// The faults that come before all have come.
    deck: Vec<Fault>,
    now: Duration,
    /// Who was struck down when, no longer ago than [`WINDOW`].
    charged: VecDeque<(Duration, usize)>,
}

/// The default limit is 5 restarts a minute. One is left for what goes wrong by itself, and half a minute for strikes that come
/// late since their daemon hangs.
const BEARABLE: usize = 4;
const WINDOW: Duration = Duration::from_secs(90);
/// The shortest and the longest pause between two strikes, in milliseconds.
const PAUSE: (u64, u64) = (200, 1_500);

impl Plan {
    /// A plan for daemons of these names, of which there is at least one.
    pub(crate) fn new(seed: u64, victims: Vec<String>) -> Self {
        Self { victims, random: seed, deck: Vec::new(), now: Duration::ZERO, charged: VecDeque::new() }
    }

    pub(crate) fn next(&mut self) -> Next {
        let pause = Duration::from_millis(PAUSE.0 + self.below(PAUSE.1 - PAUSE.0));
        self.now += pause;
        while self.charged.front().is_some_and(|(at, _)| self.now - *at > WINDOW) {
            self.charged.pop_front();
        }
        if self.deck.is_empty() {
            self.deck.extend(Fault::ALL);
        }
        let fault = self.below(self.deck.len() as u64) as usize;
        let mut fault = self.deck.swap_remove(fault);
        let bears = |victim: &usize| self.charged.iter().filter(|(_, other)| other == victim).count() < BEARABLE;
        let mut able: Vec<usize> =
            (0..self.victims.len()).filter(|victim| !fault.is_charged() || bears(victim)).collect();
        if able.is_empty() {
            (fault, able) = (Fault::Block, (0..self.victims.len()).collect());
        }
        let victim = able[self.below(able.len() as u64) as usize];
        if fault.is_charged() {
            self.charged.push_back((self.now, victim));
        }
        Next { pause, victim: self.victims[victim].clone(), fault }
    }

    /// A number below `bound`, by splitmix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, victims: usize) -> Plan {
        Plan::new(seed, (0..victims).map(|victim| victim.to_string()).collect())
    }

    #[test]
    fn a_seed_is_a_sequence() {
        let strikes = |seed| {
            let mut plan = plan(seed, 13);
            (0..100).map(|_| plan.next()).collect::<Vec<_>>()
        };
        assert_eq!(strikes(7), strikes(7));
        assert_ne!(strikes(7), strikes(8));
    }

    #[test]
    fn who_suffers_one_strike_for_too_long_hangs() {
        let mut vigil = Vigil::default();
        let mut look = |ms, over, suffers| {
            let seen = ["a", "b"].map(|name| Seen { name: name.to_owned(), over, suffers: suffers && name == "a" });
            vigil.look(Duration::from_millis(ms), seen).len()
        };
        // From when it suffers it on, and another strike is another matter.
        let one = [look(0, 4, false), look(9_000, 4, true), look(12_499, 4, true), look(12_500, 5, true)];
        assert_eq!(one, [0; 4]);
        assert_eq!([look(15_999, 5, true), look(16_000, 5, true)], [0, 1]);
        // Once found it is given time; and whoever was down in between begins anew.
        assert_eq!([look(16_250, 5, true), look(19_499, 5, true), look(19_500, 5, true)], [0, 0, 1]);
        assert_eq!([look(22_000, 5, false), look(23_000, 5, true), look(26_499, 5, true)], [0; 3]);
        assert_eq!(look(26_500, 5, true), 1);
    }

    #[test]
    fn every_fault_comes_and_everybody_is_struck() {
        let mut plan = plan(1, 13);
        let first: Vec<_> = (0..4).map(|_| plan.next().fault).collect();
        assert!(Fault::ALL.iter().all(|fault| first.contains(fault)), "{first:?}");
        let struck: std::collections::BTreeSet<_> = (0..200).map(|_| plan.next().victim).collect();
        assert_eq!(struck.len(), 13);
    }

    #[test]
    fn nobody_is_struck_down_more_often_than_it_bears() {
        for seed in 0..20 {
            let (mut plan, mut now, mut downs) = (plan(seed, 2), Duration::ZERO, Vec::new());
            for _ in 0..1_000 {
                let Next { pause, victim, fault } = plan.next();
                assert!(pause >= Duration::from_millis(PAUSE.0) && pause < Duration::from_millis(PAUSE.1));
                now += pause;
                if fault.is_charged() {
                    downs.push((now, victim));
                }
            }
            for (at, victim) in &downs {
                let since =
                    |(other, whose): &&(Duration, String)| whose == victim && *other <= *at && *at - *other < WINDOW;
                assert!(downs.iter().filter(since).count() <= BEARABLE, "seed {seed}: {victim} at {at:?}");
            }
        }
    }
}
