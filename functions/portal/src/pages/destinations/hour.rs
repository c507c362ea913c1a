//! One hour in the statistics of a destination.

use domain::value::Timestamp;
use serde::Deserialize;

use crate::markup::html::grouped;

/// The deliveries of an hour by their state.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Hour {
    pub start: Timestamp,
    pub delivered: u64,
    pub failed: u64,
    pub parked: u64,
}

impl Hour {
    /// The hour in words.
    pub fn label(&self) -> String {
        let start = self.start.to_string();
        let start = start.get(11..16).unwrap_or(&start);
        let [delivered, failed, parked] = [self.delivered, self.failed, self.parked].map(grouped);
        format!("{start} UTC: {delivered} delivered, {failed} failed, {parked} parked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_told_in_words() {
        let start = Timestamp::parse("2026-11-23T09:00:00Z").expect("a time");
        let hour = Hour { start, delivered: 1_200, failed: 3, parked: 0 };
        assert_eq!(hour.label(), "09:00 UTC: 1\u{202f}200 delivered, 3 failed, 0 parked");
    }
}
