//! How the row of a delivery may change, whatever the order of writes: an attempt is recorded once, and changes only
//! what belongs to it.

use domain::delivery::DeliveryRecord;

/// Whether a row may change into another one; if not, why.
pub fn may_become(before: &DeliveryRecord, after: &DeliveryRecord) -> Result<(), &'static str> {
    let (moves, known) = (before.held != after.held, before.attempts.count());
    if before.is_delivered() && !after.is_delivered() {
        return Err("what was delivered is so no more");
    }
    match (after.attempts.count().checked_sub(known), after.attempts.last()) {
        (Some(0), _) if after.is_delivered() && !before.is_delivered() => Err("nobody delivered it"),
        (Some(0), _) => Ok(()),
        (Some(1), Some(attempt)) if attempt.outcome.is_delivered() && !after.is_delivered() => {
            Err("it was delivered, and is not")
        }
        (Some(1), Some(attempt)) if attempt.outcome.is_delivered() || !moves => Ok(()),
        (Some(1), Some(attempt)) if attempt.probe => Err("a probe that failed moved it"),
        (Some(1), Some(attempt)) if attempt.number != known + 1 => Err("an attempt that came late moved it"),
        (Some(1), Some(_)) if before.state().is_final() => Err("it had ended, and a failed attempt moved it"),
        (Some(1), Some(_)) => Ok(()),
        _ => Err("attempts were recorded twice or forgotten"),
    }
}
