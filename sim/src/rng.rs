//! Seeded variety: the same seed gives the same world, the same faults and the same choices, on every machine.

/// Scrambles 64 bits (the finalizer of splitmix64): neighbours in, strangers out.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A stream of choices that a seed determines.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A span of milliseconds in `0..bound`.
    pub(crate) fn millis(&mut self, bound: i64) -> i64 {
        let bound = u64::try_from(bound).unwrap_or(0);
        i64::try_from(self.below(bound)).unwrap_or(0)
    }

    /// True in `percent` of a hundred rolls.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the list; `None` only when it is empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(index(self.below(list.len() as u64)))
    }

    /// One of the words; empty only when there are none.
    pub(crate) fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        self.pick(words).copied().unwrap_or("")
    }
}

/// A position in memory; beyond the address space no list has an element anyway.
pub(crate) fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Visits each of `0..len` once, in an order that the seed determines.
pub(crate) fn shuffled_walk(len: u32, seed: u64) -> impl Iterator<Item = u32> {
    let len = u64::from(len);
    let mut dice = Dice::new(seed);
    let start = dice.below(len);
    let mut stride = dice.below(len).max(1);
    while len > 0 && gcd(stride, len) != 1 {
        stride += 1;
    }
    (0..len).map(move |step| {
        let place = (start + (step * (stride % len)) % len) % len;
        u32::try_from(place).unwrap_or(u32::MAX)
    })
}

const fn gcd(left: u64, right: u64) -> u64 {
    if right == 0 { left } else { gcd(right, left % right) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_rolls_the_same_numbers() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            (0..8).map(|_| dice.next()).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }

    #[test]
    fn a_walk_visits_everything_once() {
        for len in [0_u32, 1, 2, 12, 97, 1000] {
            let seen: Vec<u32> = shuffled_walk(len, 5).collect();
            let unique: BTreeSet<u32> = seen.iter().copied().collect();
            assert_eq!(seen.len(), unique.len());
            assert_eq!(unique, (0..len).collect());
        }
    }
}
