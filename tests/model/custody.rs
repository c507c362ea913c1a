//! How the row of a delivery may change, whatever the order of writes: an attempt is recorded once, and changes only
//! what belongs to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::delivery::{DeliveryRecord, Held};

use crate::requests::Requests;

/// How often processes of `deliver` got into each other's way.
#[derive(Debug, Default, Clone, Copy)]
pub struct Races {
    /// Attempts that were recorded after others which their senders had not seen.
    pub late: usize,
    /// Conditional writes that were lost to somebody faster.
    pub overtaken: usize,
}

/// Judges what becomes of rows.
#[derive(Default)]
pub struct Judge {
    /// What receivers were asked.
    pub requests: Arc<Requests>,
    noted: Mutex<(Vec<String>, Races)>,
}

impl Judge {
    fn lock(&self) -> MutexGuard<'_, (Vec<String>, Races)> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of rows against the rules since the last time.
    pub fn take_broken(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().0)
    }

    pub fn races(&self) -> Races {
        self.lock().1
    }

    /// Judges what a row, or none, is to become, and answers whether an attempt is added that came late.
    pub fn is_late(&self, before: Option<&DeliveryRecord>, after: &DeliveryRecord) -> bool {
        let known = before.map_or(0, |before| before.attempts.count());
        let attempt = after.attempts.last().filter(|_| after.attempts.count() > known);
        let asked = attempt.map(|attempt| self.requests.numbers(&after.delivery.id, attempt.at)).unwrap_or_default();
        if let Err(why) = may_become(before, after, &asked) {
            self.lock().0.push(format!("{}: {why}: {before:?} became {after:?}", after.delivery.id));
        }
        attempt.is_some() && !asked.contains(&(known + 1))
    }

    /// Whether an attempt that came late was recorded.
    pub fn recorded(&self, late: bool) {
        self.lock().1.late += usize::from(late);
    }

    /// Somebody else was faster than a process of `deliver`.
    pub fn overtaken(&self) {
        self.lock().1.overtaken += 1;
    }
}

/// Whether a row, or none, may become this one; if not, why. `asked` are the numbers of the attempts that began when the
/// last one in the row did: each is one more than its sender had seen.
fn may_become(before: Option<&DeliveryRecord>, after: &DeliveryRecord, asked: &[u32]) -> Result<(), &'static str> {
    let known = before.map_or(0, |before| before.attempts.count());
    let was_delivered = before.is_some_and(DeliveryRecord::is_delivered);
    if was_delivered && !after.is_delivered() {
        return Err("what was delivered is so no more");
    }
    match (after.attempts.count().checked_sub(known), after.attempts.last()) {
        (Some(0), _) if after.is_delivered() && !was_delivered => Err("nobody delivered it"),
        (Some(0), _) => Ok(()),
        (Some(1), Some(_)) if asked.is_empty() => Err("an attempt was recorded that nobody made"),
        (Some(1), Some(attempt)) if attempt.outcome.is_delivered() != after.is_delivered() && !was_delivered => {
            Err("whether it was delivered is not what its attempt says")
        }
        (Some(1), Some(attempt)) if attempt.outcome.is_delivered() || !is_moved(before, after) => Ok(()),
        (Some(1), Some(attempt)) if attempt.probe => Err("a probe that failed moved it"),
        (Some(1), Some(_)) if !asked.contains(&(known + 1)) => Err("an attempt that came late moved it"),
        (Some(1), Some(_)) if before.is_some_and(|before| before.state().is_final()) => {
            Err("it had ended, and a failed attempt moved it")
        }
        (Some(1), Some(_)) => Ok(()),
        _ => Err("attempts were recorded twice or forgotten"),
    }
}

/// Without a row, the queue holds it.
fn is_moved(before: Option<&DeliveryRecord>, after: &DeliveryRecord) -> bool {
    before.map_or(!matches!(after.held, Held::ByQueue { .. }), |before| before.held != after.held)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::attempt::{Attempt, Outcome};
    use domain::delivery::{DeliveryState, End};
    use domain::value::Timestamp;
    use testing::{account, destination, record};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_795_426_200_000 + seconds * 1_000)
    }

    /// The row of a delivery that was attempted twice and is due at `seconds`.
    fn due(seconds: u64) -> DeliveryRecord {
        let acme = destination(&account("acme"), 1, "https://acme.example/");
        record(&acme, "evt-1", 2, DeliveryState::Retrying { due_at: at(seconds) })
    }

    fn check(before: &DeliveryRecord, outcome: Outcome, then: Held, asked: &[u32], wrong: Option<&str>) {
        let attempt = Attempt { number: 0, at: at(1), took: Duration::ZERO, outcome, probe: false };
        let after = before.attempted(attempt, before, then);
        assert_eq!(may_become(Some(before), &after, asked).err(), wrong, "{after:?}");
    }

    #[test]
    fn an_attempt_that_moves_a_row_was_made_by_someone_who_had_seen_the_row() {
        let later = Held::ByTable { due_at: at(900), in_line: false };
        check(&due(60), Outcome::TimedOut, later, &[3], None);
        check(&due(60), Outcome::TimedOut, later, &[2, 3], None);
        check(&due(60), Outcome::TimedOut, later, &[2], Some("an attempt that came late moved it"));
        check(&due(60), Outcome::TimedOut, due(60).held, &[2], None);
        check(&due(60), Outcome::Delivered { status: 200 }, later, &[2], None);
        check(&due(60), Outcome::TimedOut, later, &[], Some("an attempt was recorded that nobody made"));
    }

    #[test]
    fn what_was_delivered_stays_so_and_nothing_is_recorded_twice() {
        let (before, delivered) = (due(60), Held::ended(End::Delivered));
        assert_eq!(may_become(Some(&before.held(delivered)), &before, &[]), Err("what was delivered is so no more"));
        assert_eq!(may_become(Some(&before), &before.held(delivered), &[]), Err("nobody delivered it"));
        assert_eq!(may_become(None, &before, &[1]), Err("attempts were recorded twice or forgotten"));
    }
}
