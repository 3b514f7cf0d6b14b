//! A sorted list of millions of (value, ordinal) keys that is counted, sliced and changed in microseconds.
//!
//! Rule: keys stand in ascending order over all chunks, and no chunk is empty. Counting keys below a value is what
//! makes `total` and any page of a search cheap; a tree of the standard library cannot do it.

/// Value (milliseconds, or an id's sort key), then ordinal: unique, and the stable order among equal values.
pub(crate) type Key = (i64, u32);

const CHUNK: usize = 512;

/// Keys in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    chunks: Vec<Vec<Key>>,
    len: usize,
}

impl Order {
    pub(crate) fn from_keys(mut keys: Vec<Key>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        let len = keys.len();
        Self { chunks: keys.chunks(CHUNK).map(<[Key]>::to_vec).collect(), len }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    fn chunk_of(&self, key: Key) -> usize {
        self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| *last < key))
    }

    /// Adds a key; a key that is already there stays once.
    pub(crate) fn insert(&mut self, key: Key) {
        let place = self.chunk_of(key).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get_mut(place) else {
            self.chunks.push(vec![key]);
            self.len = 1;
            return;
        };
        let Err(position) = chunk.binary_search(&key) else {
            return;
        };
        chunk.insert(position, key);
        self.len += 1;
        if chunk.len() > 2 * CHUNK {
            let tail = chunk.split_off(CHUNK);
            self.chunks.insert(place + 1, tail);
        }
    }

    /// Takes a key out, if it is there.
    pub(crate) fn remove(&mut self, key: Key) {
        let place = self.chunk_of(key);
        let Some(chunk) = self.chunks.get_mut(place) else {
            return;
        };
        let Ok(position) = chunk.binary_search(&key) else {
            return;
        };
        chunk.remove(position);
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(place);
        }
    }

    /// How many keys have a value below `value`.
    pub(crate) fn rank(&self, value: i64) -> usize {
        let key = (value, 0);
        let place = self.chunk_of(key);
        let before: usize = self.chunks.iter().take(place).map(Vec::len).sum();
        before + self.chunks.get(place).map_or(0, |chunk| chunk.partition_point(|other| *other < key))
    }

    /// The keys at positions `from..to`, ascending.
    pub(crate) fn range(&self, from: usize, to: usize) -> impl Iterator<Item = Key> {
        let mut skip = from;
        let mut place = 0;
        while let Some(chunk) = self.chunks.get(place) {
            if skip < chunk.len() {
                break;
            }
            skip -= chunk.len();
            place += 1;
        }
        let chunks = self.chunks.iter().skip(place).flatten();
        chunks.skip(skip).take(to.saturating_sub(from)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_behaves_like_a_sorted_set(
            start in prop::collection::vec((0_i64..50, 0_u32..2000), 0..3000),
            changes in prop::collection::vec((any::<bool>(), 0_i64..50, 0_u32..2000), 0..3000),
            value in 0_i64..60,
            from in 0_usize..3000,
            count in 0_usize..600,
        ) {
            let mut model: BTreeSet<Key> = start.iter().copied().collect();
            let mut order = Order::from_keys(start);
            for (add, value, ord) in changes {
                if add {
                    model.insert((value, ord));
                    order.insert((value, ord));
                } else {
                    model.remove(&(value, ord));
                    order.remove((value, ord));
                }
            }
            prop_assert_eq!(order.len(), model.len());
            prop_assert_eq!(order.rank(value), model.range(..(value, 0)).count());
            let expected: Vec<Key> = model.iter().skip(from).take(count).copied().collect();
            prop_assert_eq!(order.range(from, from + count).collect::<Vec<_>>(), expected);
        }
    }
}
