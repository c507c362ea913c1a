//! Random numbers for tests that break things at random. All follow from one seed, which the test prints.
//!
//! The generator is SplitMix64, which must not be used to make secrets.

use time::OffsetDateTime;

/// Random numbers that follow from a seed.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    pub fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A seed that no other run has: the current time.
    pub fn new_seed() -> u64 {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos();
        u64::try_from(now).unwrap_or_default()
    }

    /// Another generator, for a part that runs concurrently.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self::from_seed(self.draw())
    }

    /// A number from 0 to `end`, exclusive.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// True `times` times in a thousand, on average.
    pub fn per_mille(&mut self, times: u64) -> bool {
        self.below(1_000) < times
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_chance() {
        let draw = |seed| {
            let mut chance = Chance::from_seed(seed);
            (0..100).map(|_| chance.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|number| *number < 10));
    }
}
