//! How much work the matching of one event may cost. Conditions and data are both bounded, but what they cost together
//! grows with the product of the two: a list of 100,000 values, compared with 100,000 texts.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The steps of one event, over all subscriptions. A step compares one value, or looks at one field; with an optimized
/// program it takes some nanoseconds.
pub const MOST_STEPS: usize = 2_000_000;

/// The steps that are left. Once they are spent, nothing matches any more, and the results so far are not valid.
#[derive(Debug)]
pub struct Work(AtomicUsize);

impl Default for Work {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST_STEPS))
    }
}

impl Work {
    /// For a few conditions, which cannot cost much.
    pub fn unbounded() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }

    fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn spend(&self, steps: usize) {
        // Only one event uses it at a time, so nothing is lost between reading and writing.
        self.0.store(self.left().saturating_sub(steps), Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn spent(&self) -> usize {
        MOST_STEPS - self.left()
    }

    /// Whether it took more steps than it may.
    pub fn is_over(&self) -> bool {
        self.left() == 0
    }
}
