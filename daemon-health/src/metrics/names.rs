//! Which names have series of their own. Pure.
//!
//! **Invariant:** a name that has been shown by itself is so for good, and one that shared a series goes on sharing it: a counter never
//! hops from one series to another.

use std::collections::{BTreeMap, BTreeSet};

/// What a name is called that has no series of its own, because there were too many before it.
pub const OTHERS: &str = "(others)";

/// How many names of one kind in one place are told apart. What a program declares is less in practice; what it makes up at run time
/// may be without end.
const LIMIT: usize = 256;

/// The names seen so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<(&'static str, String), BTreeSet<String>>,
}

impl Names {
    /// What `name` is called among those of a kind in one place.
    pub(super) fn told<'a>(&mut self, kind: &'static str, place: &str, name: &'a str) -> &'a str {
        let known = self.known.entry((kind, place.to_owned())).or_default();
        let alone = known.contains(name) || (known.len() < LIMIT && known.insert(name.to_owned()));
        if alone { name } else { OTHERS }
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, Names, OTHERS};

    #[test]
    fn whoever_came_first_keeps_its_name() {
        let mut names = Names::default();
        let all: Vec<_> = (0..LIMIT + 10).map(|n| format!("name-{n}")).collect();
        for _ in 0..2 {
            for (n, name) in all.iter().enumerate() {
                assert_eq!(names.told("interval", "a", name), if n < LIMIT { name } else { OTHERS });
            }
        }
        assert_eq!(names.told("interval", "b", &all[LIMIT]), all[LIMIT], "each place has its own");
        assert_eq!(names.told("subscription", "a", &all[LIMIT]), all[LIMIT], "and each kind");
    }
}
