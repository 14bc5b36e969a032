//! How fast each topic is published, and which of them storm. Pure: the caller brings the events and the clock.

use std::collections::HashMap;
use std::time::Duration;

/// A topic storms from this rate on, and no longer below half of it.
pub(crate) const STORM_PER_SECOND: u64 = 200;

/// Counts of one window, and the topics that storm.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    counts: HashMap<String, u64>,
    storms: HashMap<String, Storm>,
    total: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Storm {
    events: u64,
    lasted: Duration,
    peak: u64,
}

/// What changed at the end of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Began { topic: String, per_second: u64 },
    Ended { topic: String, events: u64, lasted: Duration, peak_per_second: u64 },
}

impl Rates {
    pub(crate) fn count(&mut self, topic: &str) {
        self.total += 1;
        match self.counts.get_mut(topic) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(topic.to_owned(), 1)),
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Ends a window of this length and begins the next; also gives the events per second of all topics together.
    pub(crate) fn end_window(&mut self, length: Duration) -> (u64, Vec<Turn>) {
        let counts = std::mem::take(&mut self.counts);
        let per_second = |count: u64| (count as f64 / length.as_secs_f64().max(0.001)).round() as u64;
        let mut turns = Vec::new();
        for (topic, count) in &counts {
            let rate = per_second(*count);
            if rate >= STORM_PER_SECOND && !self.storms.contains_key(topic) {
                self.storms.insert(topic.clone(), Storm::default());
                turns.push(Turn::Began { topic: topic.clone(), per_second: rate });
            }
        }
        self.storms.retain(|topic, storm| {
            let count = counts.get(topic).copied().unwrap_or(0);
            let rate = per_second(count);
            let Storm { events, lasted, peak } = *storm;
            if rate < STORM_PER_SECOND / 2 {
                turns.push(Turn::Ended { topic: topic.clone(), events, lasted, peak_per_second: peak });
                return false;
            }
            *storm = Storm { events: events + count, lasted: lasted + length, peak: peak.max(rate) };
            true
        });
        (per_second(counts.values().sum()), turns)
    }

    /// The topics that storm now.
    pub(crate) fn storms(&self) -> Vec<String> {
        let mut topics: Vec<_> = self.storms.keys().cloned().collect();
        topics.sort();
        topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn window(rates: &mut Rates, count: u64) -> Vec<Turn> {
        (0..count).for_each(|_| rates.count("data:code_index:created"));
        rates.count("quiet");
        rates.end_window(SECOND).1
    }

    #[test]
    fn a_storm_is_named_when_it_begins_and_when_it_ends() {
        let mut rates = Rates::default();
        let topic = || "data:code_index:created".to_owned();
        assert_eq!(window(&mut rates, 199), []);
        assert_eq!(window(&mut rates, 300), [Turn::Began { topic: topic(), per_second: 300 }]);
        assert_eq!(rates.storms(), [topic()]);
        // Between half and the whole threshold nothing changes, so a storm at the edge does not flicker.
        assert_eq!(window(&mut rates, 150), []);
        let ended = Turn::Ended { topic: topic(), events: 450, lasted: 2 * SECOND, peak_per_second: 300 };
        assert_eq!(window(&mut rates, 0), [ended]);
        assert!(rates.storms().is_empty());
        assert_eq!(rates.total(), 199 + 300 + 150 + 4);
    }

    #[test]
    fn the_rate_is_per_second_whatever_the_window() {
        let mut rates = Rates::default();
        (0..100).for_each(|_| rates.count("a"));
        let (total, turns) = rates.end_window(Duration::from_millis(250));
        assert_eq!((total, turns), (400, vec![Turn::Began { topic: "a".into(), per_second: 400 }]));
    }
}
