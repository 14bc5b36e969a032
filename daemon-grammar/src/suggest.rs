//! The nearest known word to a misspelt one.

/// The word of `among` that `word` most likely means, if one is near enough to be worth naming.
///
/// Near means: at most one slip (a letter left out, added, changed, or swapped with its neighbour) for every three
/// letters, and at least one slip is always allowed. Of two equally near words the first wins.
///
/// # Example
///
/// ```
/// let options = ["capacity", "overflow", "startup"];
/// assert_eq!(daemon_grammar::did_you_mean("capasity", options), Some("capacity"));
/// assert_eq!(daemon_grammar::did_you_mean("colour", options), None);
/// ```
pub fn did_you_mean<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    let near = among.into_iter().map(|known| (slips(word, known), known)).filter(|(slips, _)| *slips <= allowed);
    near.min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

/// The optimal string alignment distance, capitals aside.
fn slips(a: &str, b: &str) -> usize {
    let letters = |word: &str| word.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_slips() {
        assert_eq!(slips("name", "name"), 0);
        assert_eq!(slips("nmae", "name"), 1);
        assert_eq!(slips("Name", "name"), 0);
        assert_eq!(slips("", "abc"), 3);
        assert_eq!(slips("timeout", "time_out"), 1);
    }

    #[test]
    fn names_only_what_is_near() {
        let options = ["name", "requires", "wants", "stop_timeout"];
        assert_eq!(did_you_mean("nam", options), Some("name"));
        assert_eq!(did_you_mean("require", options), Some("requires"));
        assert_eq!(did_you_mean("stoptimeout", options), Some("stop_timeout"));
        assert_eq!(did_you_mean("interval", options), None);
        assert_eq!(did_you_mean("x", []), None);
    }
}
