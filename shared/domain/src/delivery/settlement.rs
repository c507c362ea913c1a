//! What the events of a stretch owe, as a digest: roll-ups write it when they have seen that all of it was delivered, and the
//! audit compares it with what the events owe an hour later. If it is the same, nothing can be lost.
//!
//! Invariant: a settlement holds for exactly the events and numbers of deliveries of which it was made, in any order
//! (tests: `a_settlement_is_of_the_same_events_that_owe_as_much_in_any_order`).

use sha2::{Digest, Sha256};

use crate::value::EventId;

/// Half of a SHA-256 over the ids of events, with the number of deliveries that each owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement(pub [u8; 16]);

impl Settlement {
    pub fn of(mut events: Vec<(EventId, usize)>) -> Self {
        events.sort_unstable();
        let mut digest = Sha256::new();
        for (id, owed) in events {
            // No id contains a zero byte, and all numbers have the same length.
            digest.update(id.as_str().as_bytes());
            digest.update([0]);
            digest.update(u64::try_from(owed).unwrap_or(u64::MAX).to_be_bytes());
        }
        let digest: [u8; 32] = digest.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settlement(events: &[(&str, usize)]) -> Settlement {
        Settlement::of(events.iter().map(|(id, owed)| (id.parse().expect("an id"), *owed)).collect())
    }

    #[test]
    fn a_settlement_is_of_the_same_events_that_owe_as_much_in_any_order() {
        let two = settlement(&[("evt-1", 3), ("evt-2", 1)]);
        assert_eq!(two, settlement(&[("evt-2", 1), ("evt-1", 3)]));
        for other in [
            &[("evt-1", 3)][..],
            &[("evt-1", 1), ("evt-2", 3)],
            &[("evt-1", 3), ("evt-2", 2)],
            &[("evt-1", 3), ("evt-2", 1), ("evt-3", 1)],
            &[],
        ] {
            assert_ne!(two, settlement(other), "{other:?}");
        }
    }
}
