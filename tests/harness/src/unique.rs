//! Names that no other test, run or process uses. Tests share one deployment, so each works on its own accounts and
//! events.
//!
//! A name starts with its purpose, so that logs and tables stay readable.

use std::sync::atomic::{AtomicU32, Ordering};

use time::OffsetDateTime;

/// A unique name: `unique("evt")` is something like `evt-19ab40c1f3e-2f1-0`: at most 64 of `[a-z0-9-]` for a prefix of
/// up to 32.
pub fn unique(prefix: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let milliseconds = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{milliseconds:x}-{process:x}-{number:x}", process = std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_short_enough_for_an_account() {
        let (first, second) = (unique("demo-one-url"), unique("demo-one-url"));
        assert_ne!(first, second);
        assert!(first.len() <= 64 && first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{first}");
    }
}
