//! The checks of a report: what each said, by name. Owns how they are kept and looked up.
//!
//! All reports of the same checks share their names, so that one of ten thousand checks is a single piece of memory.

use crate::CheckReport;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeMap, fmt, iter::Zip, ops::Index, slice, sync::Arc, vec};

/// Names, sorted.
pub(crate) type Names = Arc<[Arc<str>]>;

/// What each check of a report said, in the order of their names; a map.
///
/// ```
/// use daemon_health::{HealthChecker, Verdict, from_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), daemon_health::HealthError> {
/// let checker = HealthChecker::new();
/// checker.register(from_fn("cache", || async { Ok(Verdict::degraded("cold")) }))?;
/// let checks = checker.check().await.checks;
/// assert_eq!(checks["cache"].message.as_deref(), Some("cold"));
/// assert!(checks.get("queue").is_none());
/// for (name, check) in &checks {
///     println!("{name} is {}", check.status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Checks {
    names: Names,
    /// As many as there are names.
    reports: Vec<CheckReport>,
}

impl Checks {
    /// Of each name, in their order, what its check said.
    pub(crate) fn new(names: Names, reports: Vec<CheckReport>) -> Self {
        debug_assert_eq!(names.len(), reports.len());
        Self { names, reports }
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.names.binary_search_by(|other| (**other).cmp(name))
    }

    /// Adds a check, or replaces the one of that name.
    pub(crate) fn insert(&mut self, name: &str, check: CheckReport) {
        match self.find(name) {
            Ok(at) => self.reports[at] = check,
            Err(at) => {
                let (before, after) = self.names.split_at(at);
                self.names = before.iter().cloned().chain([name.into()]).chain(after.iter().cloned()).collect();
                self.reports.insert(at, check);
            }
        }
    }

    /// What a check said; `None` if it is not in the report.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CheckReport> {
        self.find(name).ok().map(|at| &self.reports[at])
    }

    /// Whether a check is in the report.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reports.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// Each with its name.
    #[must_use]
    pub fn iter(&self) -> ChecksIter<'_> {
        ChecksIter(self.names.iter().zip(&self.reports))
    }

    /// Their names.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.names.iter().map(|name| &**name)
    }

    /// What they said.
    pub fn values(&self) -> slice::Iter<'_, CheckReport> {
        self.reports.iter()
    }
}

/// Each check of a report with its name, by [`Checks::iter`].
#[derive(Clone, Debug)]
pub struct ChecksIter<'a>(Zip<slice::Iter<'a, Arc<str>>, slice::Iter<'a, CheckReport>>);

impl<'a> Iterator for ChecksIter<'a> {
    type Item = (&'a str, &'a CheckReport);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, check)| (&**name, check))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for ChecksIter<'_> {}

impl<'a> IntoIterator for &'a Checks {
    type Item = (&'a str, &'a CheckReport);
    type IntoIter = ChecksIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The checks of a report that was taken apart, each with its name.
#[derive(Debug)]
pub struct ChecksIntoIter {
    names: Names,
    reports: std::iter::Enumerate<vec::IntoIter<CheckReport>>,
}

impl Iterator for ChecksIntoIter {
    type Item = (Arc<str>, CheckReport);

    fn next(&mut self) -> Option<Self::Item> {
        self.reports.next().map(|(at, check)| (self.names[at].clone(), check))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.reports.size_hint()
    }
}

impl IntoIterator for Checks {
    type Item = (Arc<str>, CheckReport);
    type IntoIter = ChecksIntoIter;

    fn into_iter(self) -> Self::IntoIter {
        ChecksIntoIter { names: self.names, reports: self.reports.into_iter().enumerate() }
    }
}

/// Of several with one name the last one counts.
impl<N: Into<Arc<str>>> FromIterator<(N, CheckReport)> for Checks {
    fn from_iter<I: IntoIterator<Item = (N, CheckReport)>>(checks: I) -> Self {
        let sorted: BTreeMap<Arc<str>, _> = checks.into_iter().map(|(name, check)| (name.into(), check)).collect();
        let (names, reports): (Vec<_>, _) = sorted.into_iter().unzip();
        Self { names: names.into(), reports }
    }
}

impl Index<&str> for Checks {
    type Output = CheckReport;

    /// What a check said.
    ///
    /// # Panics
    ///
    /// If it is not in the report.
    fn index(&self, name: &str) -> &CheckReport {
        match self.find(name) {
            Ok(at) => &self.reports[at],
            Err(_) => panic!("no health check `{name}` is in the report"),
        }
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Serialize for Checks {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<String, CheckReport>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::sample;

    #[test]
    fn it_is_a_map_sorted_by_name() {
        let checks = sample().checks;
        let again: Checks = checks.clone().into_iter().collect::<Vec<_>>().into_iter().rev().collect();
        assert_eq!(again, checks);
        let names = ["data.index", "data.store", "host.disk", "proxy.upstream"];
        assert_eq!(checks.keys().collect::<Vec<_>>(), names);
        assert_eq!((checks.len(), checks.is_empty(), checks.iter().len()), (4, false, 4));
        for name in names {
            assert_eq!(checks.get(name), Some(&checks[name]));
            assert!(checks.contains_key(name));
        }
        assert_eq!(checks.get("data"), None);
    }

    #[test]
    fn what_is_added_has_its_place_and_others_that_share_the_names_do_not_see_it() {
        let before = sample().checks;
        let mut checks = before.clone();
        let disk = checks["host.disk"].clone();
        for name in ["zone", "host", "a", "host.disk"] {
            checks.insert(name, disk.clone());
            assert_eq!(checks[name], disk);
        }
        let names = ["a", "data.index", "data.store", "host", "host.disk", "proxy.upstream", "zone"];
        assert_eq!(checks.keys().collect::<Vec<_>>(), names);
        assert_eq!((before.len(), &checks["proxy.upstream"]), (4, &before["proxy.upstream"]));
    }

    #[test]
    #[should_panic(expected = "no health check `queue` is in the report")]
    fn there_is_no_answer_of_a_check_that_is_not_there() {
        let _none = &sample().checks["queue"];
    }
}
