//! What is due when: an ordered list without a clock.

use std::collections::BTreeMap;

/// One entry of [`Deadlines`]: when it is due, and a number that tells apart what is due at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    at: u64,
    number: u64,
}

/// Entries in the order in which they are due. What is removed leaves nothing behind.
#[derive(Debug)]
pub struct Deadlines<T> {
    entries: BTreeMap<Key, T>,
    next: u64,
}

impl<T> Deadlines<T> {
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new(), next: 0 }
    }

    pub fn add(&mut self, at: u64, entry: T) -> Key {
        let key = Key { at, number: self.next };
        self.next += 1;
        self.entries.insert(key, entry);
        key
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.entries.remove(&key)
    }

    /// When the next entry is due.
    pub fn next(&self) -> Option<u64> {
        self.entries.first_key_value().map(|(key, _)| key.at)
    }

    /// Takes the next entry, if it is due.
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        let first = self.entries.first_entry().filter(|entry| entry.key().at <= now)?;
        Some(first.remove())
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::Deadlines;

    #[derive(Clone, Debug)]
    enum Step {
        Add(u64),
        Remove(usize),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..100_u64).prop_map(Step::Add),
            (0..100_usize).prop_map(Step::Remove),
            (0..30_u64).prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn each_entry_is_due_once_and_in_order(steps in steps()) {
            let (mut deadlines, mut plain, mut now) = (Deadlines::new(), Vec::new(), 0);
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Add(after) => {
                        let at = now + after;
                        plain.push((at, number, deadlines.add(at, number)));
                    }
                    Step::Remove(place) if !plain.is_empty() => {
                        let (_, number, key) = plain.remove(place % plain.len());
                        prop_assert_eq!(deadlines.remove(key), Some(number));
                        prop_assert_eq!(deadlines.remove(key), None);
                    }
                    Step::Remove(_) => {}
                    Step::Pass(ticks) => now += ticks,
                }
                plain.sort_by_key(|(at, number, _)| (*at, *number));
                prop_assert_eq!(deadlines.next(), plain.first().map(|(at, ..)| *at));
                prop_assert_eq!(deadlines.len(), plain.len());
                while let Some(number) = deadlines.pop_due(now) {
                    let (at, expected, _) = plain.remove(0);
                    prop_assert!(at <= now);
                    prop_assert_eq!(number, expected);
                }
                prop_assert!(plain.first().is_none_or(|(at, ..)| now < *at));
            }
        }
    }
}
