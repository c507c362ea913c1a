//! The life of a delivery: who holds it, and every way in which that changes. `deliver`, `redrive` and the API call these
//! functions; nothing else makes or changes a row. When `redrive` looks at a row follows from its holder.
//!
//! | held by | that is | is looked at | then `redrive` |
//! |---|---|---|---|
//! | nobody yet | owed, no row: its first message is in the queue | by the audit, after the horizon | gives it a row and sends it |
//! | the queue | a message of it waits there or is with `deliver` | at `lost_after` | sends another message |
//! | the table | no message exists; it waits until it is due | at `due_at` | sends it |
//! | its destination | parked: that takes nothing now | with its destination | probes, drains, or lets it expire |
//! | nobody any more | ended | at `tell_at`, if somebody has to be told | tells, once |
//!
//! Who moves it, from where, to where:
//!
//! | by | from | to |
//! |---|---|---|
//! | `deliver`, after an attempt ([`DeliveryRecord::attempted`]) | no row, the queue | ended, the queue for a short wait, the table for a long one, or its destination |
//! | `deliver`, without an attempt: no turn, or a destination that takes nothing | no row, the queue | the queue, the table, or its destination |
//! | `redrive`: due, lost, drained, recovered ([`DeliveryRecord::sent`]) | the table, the queue, its destination | the queue |
//! | `redrive`: a probe | its destination | its destination: the message of a probe holds nothing |
//! | `redrive`: expired, told | its destination, ended | ended |
//! | the API: send again, cancel, recover, set aside | anything but delivered | the queue, ended, its destination |
//!
//! **Two rules of writing.** A first row is written only where there is none. Any other row is written only over the row
//! that was read: whoever loses reads again, and applies what it has to say to what is stored then. So every attempt is
//! recorded, and an attempt that comes late changes nothing else.
//!
//! Invariant: what was delivered stays delivered, an end stays an end unless an attempt delivers, and a failed attempt
//! that comes late never takes a delivery from its holder (tests:
//! `an_attempt_changes_the_holder_only_if_nobody_made_one_in_the_meantime`,
//! `an_attempt_takes_nothing_from_whom_it_was_given_to_in_the_meantime`, `what_was_delivered_stays_delivered`,
//! `a_probe_that_fails_moves_nothing`, the contract suite `deliveries`).
//!
//! Invariant: whatever is open is held by the queue, the table or its destination, and `redrive` looks at each (tests:
//! `what_has_not_ended_is_looked_at`).

use super::attempts::Attempts;
use super::delivery::Delivery;
use super::message_lease::MessageLease;
use super::state::DeliveryState;
use crate::attempt::Attempt;
use crate::value::Timestamp;

/// Who holds a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A message of it waits in the queue, or is with `deliver`. If nothing was recorded by `lost_after`, which is later
    /// than `due_at`, the message is lost.
    ByQueue {
        due_at: Timestamp,
        lost_after: Timestamp,
        /// At a destination with a rate limit it goes before new deliveries: it has waited for its turn, or is sent at our
        /// own pace.
        in_line: bool,
    },
    /// It has no message until it is due.
    ByTable { due_at: Timestamp, in_line: bool },
    /// It is parked until its destination takes deliveries again.
    ByDestination,
    /// No attempt will be made unless somebody asks for one.
    Ended {
        how: End,
        /// Until this is done, somebody has to be told.
        tell_at: Option<Timestamp>,
    },
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Delivered,
    Exhausted(Exhaustion),
    /// Its destination was deleted, or somebody cancelled it.
    Cancelled,
}

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhaustion {
    /// The last attempt of its schedule failed.
    Schedule,
    /// Its event was not kept any more `at` that time, so there was nothing left to send.
    Expired { at: Timestamp },
}

impl Held {
    /// When `redrive` looks at it for its own sake. What is parked is looked at with its destination.
    pub fn look_at(self) -> Option<Timestamp> {
        match self {
            Held::ByQueue { lost_after, .. } => Some(lost_after),
            Held::ByTable { due_at, .. } => Some(due_at),
            Held::ByDestination => None,
            Held::Ended { tell_at, .. } => tell_at,
        }
    }

    pub fn state(self) -> DeliveryState {
        match self {
            Held::ByQueue { due_at, .. } | Held::ByTable { due_at, .. } => DeliveryState::Retrying { due_at },
            Held::ByDestination => DeliveryState::Parked,
            Held::Ended { how: End::Delivered, .. } => DeliveryState::Delivered,
            Held::Ended { how: End::Exhausted(_), .. } => DeliveryState::Exhausted,
            Held::Ended { how: End::Cancelled, .. } => DeliveryState::Cancelled,
        }
    }

    /// Held by the queue with a message that is sent at `now`.
    pub fn by_queue(due_at: Timestamp, now: Timestamp, lease: MessageLease) -> Self {
        Held::ByQueue { due_at, lost_after: lease.lost_after(due_at, now), in_line: false }
    }

    /// The same, before new deliveries where there is a line.
    #[must_use]
    pub fn in_line(self) -> Self {
        match self {
            Held::ByQueue { due_at, lost_after, .. } => Held::ByQueue { due_at, lost_after, in_line: true },
            Held::ByTable { due_at, .. } => Held::ByTable { due_at, in_line: true },
            other => other,
        }
    }

    pub fn is_in_line(self) -> bool {
        matches!(self, Held::ByQueue { in_line: true, .. } | Held::ByTable { in_line: true, .. })
    }

    pub fn ended(how: End) -> Self {
        Held::Ended { how, tell_at: None }
    }
}

/// A delivery's row: who holds it, and what happened to it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    pub delivery: Delivery,
    pub held: Held,
    pub attempts: Attempts,
    /// The audit found that it was owed and had no row.
    pub recovered_by_audit: bool,
    /// When the row may be deleted.
    pub expires_at: Timestamp,
}

impl DeliveryRecord {
    /// The first row of a delivery that is owed.
    pub fn first(delivery: Delivery, held: Held, expires_at: Timestamp) -> Self {
        Self { delivery, held, attempts: Attempts::default(), recovered_by_audit: false, expires_at }
    }

    /// What it is after an attempt that ended as `attempt` says and should be followed by `then`. The row is `self`;
    /// whoever made the attempt had `seen` it before.
    ///
    /// An attempt that delivered ends it. A failed one says who holds it next only if in the meantime nobody else recorded
    /// an attempt or gave it to another holder, and it has not ended, and the attempt was no probe: those hold nothing.
    #[must_use]
    pub fn attempted(&self, attempt: Attempt, seen: &Self, then: Held) -> Self {
        let same = (self.held, self.attempts.count()) == (seen.held, seen.attempts.count());
        let decides = same && !attempt.probe && !self.state().is_final();
        let held = match self.held {
            Held::Ended { how: End::Delivered, .. } => self.held,
            _ if attempt.outcome.is_delivered() => Held::ended(End::Delivered),
            _ if decides => then,
            held => held,
        };
        Self { held, attempts: self.attempts.with(attempt), ..self.clone() }
    }

    /// With another holder, without an attempt.
    #[must_use]
    pub fn held(&self, held: Held) -> Self {
        Self { held, ..self.clone() }
    }

    /// A message of it is sent at `now`, to be attempted when it is due.
    #[must_use]
    pub fn sent(&self, due_at: Timestamp, now: Timestamp, lease: MessageLease) -> Self {
        self.held(Held::by_queue(due_at, now, lease))
    }

    /// Another message is sent at `now` in place of one that was lost or never was; its place in a line stays.
    #[must_use]
    pub fn sent_again(&self, due_at: Timestamp, now: Timestamp, lease: MessageLease) -> Self {
        let held = Held::by_queue(due_at, now, lease);
        self.held(if self.held.is_in_line() { held.in_line() } else { held })
    }

    #[must_use]
    pub fn parked(&self) -> Self {
        self.held(Held::ByDestination)
    }

    #[must_use]
    pub fn cancelled(&self) -> Self {
        self.held(Held::ended(End::Cancelled))
    }

    /// It was given up at `now`, and somebody has to be told.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> Self {
        self.held(Held::Ended { how: End::Exhausted(Exhaustion::Expired { at: now }), tell_at: Some(now) })
    }

    /// It has ended, and whoever has to be told is told, or will be at `again_at`.
    #[must_use]
    pub fn told(&self, again_at: Option<Timestamp>) -> Self {
        match self.held {
            Held::Ended { how, .. } => self.held(Held::Ended { how, tell_at: again_at }),
            _ => self.clone(),
        }
    }

    pub fn state(&self) -> DeliveryState {
        self.held.state()
    }

    pub fn look_at(&self) -> Option<Timestamp> {
        self.held.look_at()
    }

    pub fn is_delivered(&self) -> bool {
        matches!(self.held, Held::Ended { how: End::Delivered, .. })
    }

    /// Why it was given up, if it was.
    pub fn exhaustion(&self) -> Option<Exhaustion> {
        match self.held {
            Held::Ended { how: End::Exhausted(why), .. } => Some(why),
            _ => None,
        }
    }

    /// Whether a message for it is under way: it was sent, and is not lost yet.
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        matches!(self.held, Held::ByQueue { lost_after, .. } if lost_after > now)
    }
}

#[cfg(test)]
mod tests;
