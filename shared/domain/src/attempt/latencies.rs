//! How long attempts took, as a histogram. Its buckets grow with the duration, and only non-empty buckets are
//! kept. Two histograms can be added without loss, and a quantile of any sum is off by less than 5 %.
//!
//! Invariant: a quantile is within 5 % of the exact one, however the latencies are split and merged (tests:
//! `a_quantile_of_merged_parts_is_within_the_error_of_the_exact_one`).

use std::collections::BTreeMap;
use std::time::Duration;

/// The end of a bucket as a multiple of its beginning. The middle is off by at most (G − 1) / (G + 1): 4.8 %.
const GROWTH: f64 = 1.1;

/// Counts by bucket. Bucket 0 holds attempts of up to a millisecond, bucket `n` those of more than `GROWTH`ⁿ⁻¹ ms and
/// up to `GROWTH`ⁿ ms. The last bucket also holds everything longer, which is more than a year.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    counts: BTreeMap<u8, u64>,
}

impl Latencies {
    pub fn add(&mut self, took: Duration) {
        self.add_to(bucket(took), 1);
    }

    pub fn merge(&mut self, other: &Self) {
        other.buckets().for_each(|(bucket, count)| self.add_to(bucket, count));
    }

    /// The non-empty buckets, fastest first.
    pub fn buckets(&self) -> impl Iterator<Item = (u8, u64)> {
        self.counts.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// The duration that `percent` of the attempts do not exceed, in whole milliseconds; none if nothing was added.
    pub fn quantile(&self, percent: u8) -> Option<u64> {
        let all: u128 = self.counts.values().map(|count| u128::from(*count)).sum();
        let rank = (all * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut passed = 0;
        let reached = self.buckets().find(|(_, count)| {
            passed += u128::from(*count);
            passed >= rank
        });
        reached.map(|(bucket, _)| middle(bucket))
    }

    fn add_to(&mut self, bucket: u8, count: u64) {
        let there = self.counts.entry(bucket).or_default();
        *there = there.saturating_add(count);
    }
}

impl FromIterator<(u8, u64)> for Latencies {
    fn from_iter<I: IntoIterator<Item = (u8, u64)>>(buckets: I) -> Self {
        let mut all = Self::default();
        buckets.into_iter().for_each(|(bucket, count)| all.add_to(bucket, count));
        all
    }
}

fn bucket(took: Duration) -> u8 {
    // The conversion to an integer saturates.
    ((took.as_secs_f64() * 1_000.0).max(1.0).ln() / GROWTH.ln()).ceil() as u8
}

fn middle(bucket: u8) -> u64 {
    if bucket == 0 { 1 } else { (2.0 * GROWTH.powi(i32::from(bucket)) / (GROWTH + 1.0)).round() as u64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(all: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        all.iter().for_each(|ms| latencies.add(Duration::from_millis(*ms)));
        latencies
    }

    #[test]
    fn nothing_has_no_quantile_and_one_is_every_quantile() {
        assert_eq!(Latencies::default().quantile(50), None);
        for percent in [0, 1, 50, 95, 100, 255] {
            assert_eq!((of(&[0]).quantile(percent), of(&[2]).quantile(percent)), (Some(1), Some(2)));
        }
    }

    #[test]
    fn a_median_and_a_95th_percentile_are_those_of_what_was_added() {
        // The exact quantiles are 500 and 950.
        let all: Vec<_> = (1..=100).map(|n| n * 10).collect();
        assert_eq!((of(&all).quantile(50), of(&all).quantile(95)), (Some(514), Some(910)));
    }

    #[test]
    fn what_took_for_ever_is_counted_and_nothing_overflows() {
        let mut all = of(&[u64::MAX, 1]);
        assert_eq!(all.buckets().collect::<Vec<_>>(), [(0, 1), (255, 1)]);
        all.merge(&[(255, u64::MAX), (0, u64::MAX)].into_iter().collect());
        assert_eq!(all.quantile(50), Some(1));
    }

    proptest! {
        /// However the attempts are split into parts that are merged, a quantile is within the error of the exact one.
        #[test]
        fn a_quantile_of_merged_parts_is_within_the_error_of_the_exact_one(
            mut all in proptest::collection::vec((0u32..24).prop_flat_map(|bits| 0u64..=1 << bits), 1..300),
            parts in 1usize..30,
            percent in 1u8..=100
        ) {
            let mut merged = Latencies::default();
            for part in all.chunks(all.len().div_ceil(parts)) {
                merged.merge(&of(part));
            }
            prop_assert_eq!(&merged, &of(&all));
            prop_assert_eq!(&merged, &merged.buckets().collect());
            all.sort_unstable();
            let exact = all[(all.len() * usize::from(percent)).div_ceil(100) - 1].max(1);
            let told = merged.quantile(percent).expect("a quantile");
            // Half a millisecond more, because only whole milliseconds are reported.
            let error = told.abs_diff(exact) as f64;
            prop_assert!(error <= 0.05 * exact as f64 + 0.5, "{told} for {exact}");
        }
    }
}
