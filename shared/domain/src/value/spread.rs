//! Divides things with names into shards of the table, or into parts of a unit of work.

/// Which of `over` parts a name belongs to. The result is stored in keys, so the function must never change. It is FNV-1a,
/// mixed once more, because FNV-1a alone spreads similar names poorly.
pub fn spread(name: &str, over: u16) -> u16 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    u16::try_from((mixed ^ (mixed >> 33)) % u64::from(over.max(1))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_little_are_spread_evenly_and_always_alike() {
        for over in [2, 3, 8, 20] {
            let mut counts = vec![0; usize::from(over)];
            (0..10_000).for_each(|n| counts[usize::from(spread(&format!("acct-{n:05}"), over))] += 1);
            let fair = 10_000 / i32::from(over);
            assert!(counts.iter().all(|count| (fair * 4 / 5..=fair * 6 / 5).contains(count)), "{counts:?}");
        }
        assert_eq!((spread("acme", 8), spread("rival", 8), spread("acme", 0)), (4, 3, 0));
    }
}
