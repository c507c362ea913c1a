//! A recovery sends again everything that a destination did not receive of the events of a time span. This file has its
//! request and its progress. Rules only: a job of `redrive` does the work.
//!
//! Invariant: a destination has one recovery at a time (tests: `a_destination_has_one_job_whatever_is_asked_for`, the
//! contract suite `started_jobs`).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::state::DeliveryState;
use crate::value::{AccountId, DeliveryId, DestinationId, EventId, JobId, Timestamp};

/// What is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    pub account: AccountId,
    pub destination_id: DestinationId,
    /// Events that occurred then or later.
    pub since: Timestamp,
    /// Events that occurred before then.
    pub until: Timestamp,
    pub statuses: Vec<RecoverStatus>,
}

/// Which deliveries are sent again, by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoverStatus {
    /// Owed, but without a row.
    Pending,
    Retrying,
    Parked,
    Exhausted,
    Cancelled,
}

impl RecoverStatus {
    /// What is sent again by default: everything except what somebody cancelled.
    pub const USUAL: [Self; 4] = [Self::Pending, Self::Retrying, Self::Parked, Self::Exhausted];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Parked => "parked",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of a row in this state; none if it was delivered.
    pub fn of(state: DeliveryState) -> Option<Self> {
        match state {
            DeliveryState::Delivered => None,
            DeliveryState::Retrying { .. } => Some(Self::Retrying),
            DeliveryState::Parked => Some(Self::Parked),
            DeliveryState::Exhausted => Some(Self::Exhausted),
            DeliveryState::Cancelled => Some(Self::Cancelled),
        }
    }
}

impl Recovery {
    /// The id of the job that does it. It depends only on the destination, so that a destination has one recovery at a
    /// time and receives deliveries at the rate of one.
    pub fn job_id(&self) -> JobId {
        id_of_job(["recover", self.account.as_str(), self.destination_id.as_str()])
    }

    pub fn wants(&self, state: DeliveryState) -> bool {
        RecoverStatus::of(state).is_some_and(|status| self.statuses.contains(&status))
    }
}

/// The id of a job that is the only one of its kind for something.
pub(super) fn id_of_job(parts: [&str; 3]) -> JobId {
    let mut digest = Sha256::new();
    // No part can contain a zero byte.
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut short = [0; 10];
    short.copy_from_slice(&digest[..10]);
    JobId::from_entropy(short)
}

/// The progress of a recovery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Deliveries that were sent again.
    pub resent: u64,
    /// Deliveries that were parked because the destination accepted nothing.
    pub set_aside: u64,
    pub to: RecoveredTo,
}

/// Where a recovery is. It goes first through the deliveries with rows, then through what the events owe, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum RecoveredTo {
    #[default]
    Nothing,
    Delivery {
        id: DeliveryId,
    },
    EveryDelivery,
    Event {
        occurred_at: Timestamp,
        id: EventId,
    },
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recovery(account: &str, destination: u8, since: u64) -> Recovery {
        Recovery {
            account: account.parse().expect("an account"),
            destination_id: DestinationId::from_entropy([destination; 10]),
            since: Timestamp::from_unix_ms(since),
            until: Timestamp::from_unix_ms(9),
            statuses: RecoverStatus::USUAL.to_vec(),
        }
    }

    #[test]
    fn a_destination_has_one_job_whatever_is_asked_for() {
        let one = recovery("acme", 1, 1).job_id();
        assert_eq!(recovery("acme", 1, 2).job_id(), one);
        assert_ne!(recovery("acme", 2, 1).job_id(), one);
        assert_ne!(recovery("acmf", 1, 1).job_id(), one);
    }

    #[test]
    fn what_was_delivered_is_never_wanted_and_what_was_given_up_only_when_it_is_named() {
        let usual = recovery("acme", 1, 1);
        let all = Recovery { statuses: vec![RecoverStatus::Cancelled], ..usual.clone() };
        let due = DeliveryState::Retrying { due_at: Timestamp::from_unix_ms(0) };
        for (state, wanted, named) in [
            (DeliveryState::Delivered, false, false),
            (due, true, false),
            (DeliveryState::Parked, true, false),
            (DeliveryState::Exhausted, true, false),
            (DeliveryState::Cancelled, false, true),
        ] {
            assert_eq!((usual.wants(state), all.wants(state)), (wanted, named), "{state:?}");
        }
    }
}
