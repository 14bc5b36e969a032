//! Sorting by number, with the code of one sort: of the standard library's a program has one for each type that it sorts.

/// What is sorted by: a number, then another.
pub(crate) type Key = (u64, u32);

/// Sorts by `key`, the smallest first; what has the same stays in its order.
pub(crate) fn sorted<T>(items: Vec<T>, key: impl Fn(&T) -> Key) -> Vec<T> {
    let keys: Vec<Key> = items.iter().map(key).collect();
    if keys.is_sorted() {
        return items;
    }
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    places(&keys).into_iter().filter_map(|at| items[at].take()).collect()
}

/// Where what has these keys is, the smallest first.
fn places(keys: &[Key]) -> Vec<usize> {
    let mut places: Vec<(Key, usize)> = keys.iter().copied().zip(0..).collect();
    places.sort_unstable(); // by place where the keys are the same
    places.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_stable_sort(keys in prop::collection::vec((0..9_u64, 0..3_u32), 0..40)) {
            let items: Vec<(Key, usize)> = keys.into_iter().zip(0..).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(sorted(items, |(key, _)| *key), expected);
        }
    }
}
