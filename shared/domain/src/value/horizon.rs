//! How long a loss may go unnoticed. After the horizon, a delivery that is owed and has no row is sent again. After a
//! quarter of it, a delivery that was sent and has no outcome is sent again. Sealed events are noted by slots, each a
//! sixth of the horizon long; the audit goes through them one by one.

use std::str::FromStr;
use std::time::Duration;

use super::timestamp::Timestamp;

/// Whole seconds, from 60 to 86,400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of seconds from 60 to 86400; {0:?} is not")]
pub struct HorizonError(String);

/// How long the note of a seal is kept if no audit removes it: a week.
pub const NOTES_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// A stretch of time. Slots are counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u64);

impl Default for Horizon {
    fn default() -> Self {
        Self(3_600)
    }
}

impl FromStr for Horizon {
    type Err = HorizonError;

    fn from_str(text: &str) -> Result<Self, HorizonError> {
        let seconds = text.parse().ok().filter(|seconds| (60..=86_400).contains(seconds));
        seconds.map(Self).ok_or_else(|| HorizonError(text.to_owned()))
    }
}

impl Horizon {
    fn slot_ms(self) -> u64 {
        self.0 * 1_000 / 6
    }

    /// How long a delivery may be under way before it is sent again.
    pub fn lease(self) -> Duration {
        Duration::from_secs(self.0 / 4)
    }

    /// When a delivery that was due at `due_at` and is sent at `now` is looked at again: after the lease, or after as
    /// long as it has already been overdue if that is longer. This way a queue that is behind does not fill with
    /// copies.
    pub fn look_again(self, due_at: Timestamp, now: Timestamp) -> Timestamp {
        due_at.max(now).plus(self.lease().max(now.since(due_at)))
    }

    /// The slot of a moment.
    pub fn slot(self, moment: Timestamp) -> Slot {
        Slot(moment.unix_ms() / self.slot_ms())
    }

    pub fn begin(self, slot: Slot) -> Timestamp {
        Timestamp::from_unix_ms(slot.0.saturating_mul(self.slot_ms()))
    }

    /// The last slot in which every event is older than the horizon.
    pub fn last_to_audit(self, now: Timestamp) -> Slot {
        let horizon = self.0 * 1_000;
        Slot((now.unix_ms().saturating_sub(horizon) / self.slot_ms()).saturating_sub(1))
    }

    /// How long a slot is.
    pub fn slot_length(self) -> Duration {
        Duration::from_millis(self.slot_ms())
    }

    /// When the roll-ups of what was sealed in a slot can be computed: a tenth of a slot after its end, when successful
    /// deliveries have been recorded.
    pub fn rolled_up_from(self, slot: Slot) -> Timestamp {
        self.begin(slot.next()).plus(self.slot_length() / 10)
    }

    /// The last slot whose roll-ups can be computed at `now`.
    pub fn last_to_roll_up(self, now: Timestamp) -> Slot {
        let current = self.slot(Timestamp::from_unix_ms(now.unix_ms().saturating_sub(self.slot_ms() / 10)));
        Slot(current.0.saturating_sub(1))
    }

    /// The slot in which the audit continues after `last`. The very first audit begins an hour before the horizon. No
    /// audit goes back further than notes are kept.
    pub fn first_to_audit(self, last: Option<Slot>, now: Timestamp) -> Slot {
        let back = |seconds: u64| self.slot(Timestamp::from_unix_ms(now.unix_ms().saturating_sub(seconds * 1_000)));
        match last {
            Some(last) => last.next().max(back(NOTES_KEPT.as_secs())),
            None => back(self.0 + 3_600),
        }
    }
}

impl Slot {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1_000)
    }

    #[test]
    fn a_horizon_is_read_from_seconds() {
        assert_eq!("3600".parse(), Ok(Horizon::default()));
        for text in ["59", "86401", "", "1h", "-60"] {
            assert!(text.parse::<Horizon>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_slot_is_audited_once_its_last_event_lies_behind_the_horizon() {
        let horizon = Horizon(3_600);
        let slot = horizon.slot(at(600 * 100));
        assert_eq!((slot, horizon.begin(slot)), (Slot(100), at(60_000)));
        // The last event of slot 100 was sealed just before 60,600.
        assert_eq!(horizon.last_to_audit(at(60_600 + 3_600)), Slot(100));
        assert_eq!(horizon.last_to_audit(Timestamp::from_unix_ms(64_199_999)), Slot(99));
        assert_eq!(horizon.last_to_audit(at(0)), Slot(0));
        let now = at(1_000_000);
        assert_eq!(horizon.first_to_audit(Some(Slot(1_600)), now), Slot(1_601));
        assert_eq!(horizon.first_to_audit(None, now), horizon.slot(at(1_000_000 - 7_200)));
        assert_eq!(horizon.first_to_audit(Some(Slot(3)), now), horizon.slot(at(1_000_000 - 7 * 86_400)));
    }

    #[test]
    fn a_slot_is_rolled_up_a_tenth_after_its_end() {
        for (seconds, last) in [(3_600, 660), (60, 11)] {
            let horizon = Horizon(seconds);
            let (ms, last) = (last * 1_000, at(1_000 * seconds));
            let slot = horizon.slot(last);
            assert_eq!(horizon.rolled_up_from(slot), Timestamp::from_unix_ms(last.unix_ms() + ms));
            assert_eq!(horizon.last_to_roll_up(horizon.rolled_up_from(slot)), slot);
            let before = Timestamp::from_unix_ms(last.unix_ms() + ms - 1);
            assert_eq!(horizon.last_to_roll_up(before).next(), slot);
        }
        assert_eq!(Horizon(60).last_to_roll_up(at(0)), Slot(0));
    }

    #[test]
    fn what_was_sent_again_is_looked_at_after_ever_longer_waits() {
        let horizon = Horizon(3_600);
        assert_eq!(horizon.look_again(at(1_000), at(950)), at(1_900));
        assert_eq!(horizon.look_again(at(1_000), at(1_900)), at(2_800));
        assert_eq!(horizon.look_again(at(1_000), at(2_800)), at(4_600));
    }
}
