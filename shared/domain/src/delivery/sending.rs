//! How far the deliveries of a wide event were sent. Such an event owes so many that it is sealed first and sent in
//! ranges, by one sender at a time: a sender holds the event until its invocation ends.
//!
//! Invariant: a range is recorded as begun before any of it is sent, and nothing counts as sent before it was sent
//! (tests: `a_range_is_begun_before_it_is_sent`, `what_was_begun_stays_begun`).
//!
//! Invariant: a sender holds an event for a limited time, and gives it up when it stops (tests:
//! `an_event_is_held_until_its_sender_stops_or_its_time_is_over`).

use crate::value::Timestamp;

/// Positions among the deliveries that were planned when the event was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// All before this one were sent.
    pub sent: usize,
    /// None from this one on was ever sent by `fanout`. Those between the two may have been.
    pub begun: usize,
    /// Until then, the event is held by one sender.
    pub held_until: Timestamp,
}

impl Sending {
    /// Nothing was sent; all before `begun` may have been.
    pub fn from(begun: usize) -> Self {
        Self { sent: 0, begun, held_until: Timestamp::from_unix_ms(0) }
    }

    pub fn is_held(&self, now: Timestamp) -> bool {
        self.held_until > now
    }

    /// The deliveries up to `end` are about to be sent. The sender holds the event until `until`.
    pub fn begin(&self, end: usize, until: Timestamp) -> Self {
        Self { sent: self.sent, begun: self.begun.max(end), held_until: until }
    }

    /// The deliveries up to `end` were sent.
    pub fn sent_to(&self, end: usize) -> Self {
        Self { sent: self.sent.max(end), ..self.clone() }
    }

    /// The sender stops.
    pub fn given_up(&self, now: Timestamp) -> Self {
        Self { held_until: self.held_until.min(now), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1_000)
    }

    #[test]
    fn a_range_is_begun_before_it_is_sent() {
        let begun = Sending::from(0).begin(10, at(60));
        assert_eq!((begun.sent, begun.begun), (0, 10));
        let sent = begun.sent_to(10);
        assert_eq!((sent.sent, sent.begun), (10, 10));
    }

    #[test]
    fn what_was_begun_stays_begun() {
        let all = Sending::from(100).begin(10, at(60)).sent_to(10).given_up(at(30));
        assert_eq!((all.sent, all.begun), (10, 100));
    }

    #[test]
    fn an_event_is_held_until_its_sender_stops_or_its_time_is_over() {
        let held = Sending::from(0).begin(10, at(60));
        assert!(!Sending::from(0).is_held(at(0)));
        assert!(held.is_held(at(59)) && !held.is_held(at(60)));
        assert!(!held.given_up(at(30)).is_held(at(30)));
        assert_eq!(held.given_up(at(90)).held_until, at(60), "giving up holds nothing longer");
    }
}
