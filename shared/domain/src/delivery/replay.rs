//! A replay matches past events of a time span with a subscription as it is now. Its destination is then owed the
//! deliveries that those events did not owe it before. This file has the replay's request and its progress. Rules only: a
//! job of `redrive` does the work.
//!
//! Invariant: a subscription has one replay at a time (tests: `a_subscription_has_one_job_whatever_is_asked_for`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::recovery::id_of_job;
use crate::value::{AccountId, EventId, JobId, SubscriptionId, Timestamp};

/// The wait before a replay begins. Until then, `fanout` may match with the earlier subscriptions (it caches them for 5 s),
/// and an event that was just sealed may be missing in the list of events.
pub const BEGINS_AFTER: Duration = Duration::from_secs(10);

/// What is to be matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    pub account: AccountId,
    pub subscription_id: SubscriptionId,
    /// Events that occurred then or later.
    pub since: Timestamp,
    /// Events that occurred before then.
    pub until: Timestamp,
}

impl Replay {
    /// The id of the job that does it. It depends only on the subscription, so that a subscription has one replay at a
    /// time, and its destination receives deliveries at the rate of one.
    pub fn job_id(&self) -> JobId {
        id_of_job(["replay", self.account.as_str(), self.subscription_id.as_str()])
    }
}

/// The progress of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Events that the subscription matches, whether or not they were owed before.
    pub matched: u64,
    /// Deliveries that are owed now and were not before, and were sent.
    pub sent: u64,
    /// Deliveries that are owed now and were not before, and were parked because the destination accepted nothing.
    pub set_aside: u64,
    /// Events that match if they were the awaited transition, but it is no longer known whether they were.
    pub unjudged: u64,
    /// Events that cannot be read.
    pub unreadable: u64,
    /// The last event that was looked at; the newest come first.
    pub to: Option<ReplayedTo>,
}

/// An event's place in the list of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedTo {
    pub occurred_at: Timestamp,
    pub id: EventId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_has_one_job_whatever_is_asked_for() {
        let id = |account: &str, subscription, since| {
            let replay = Replay {
                account: account.parse().expect("an account"),
                subscription_id: SubscriptionId::from_entropy([subscription; 10]),
                since: Timestamp::from_unix_ms(since),
                until: Timestamp::from_unix_ms(9),
            };
            replay.job_id()
        };
        assert_eq!(id("acme", 1, 1), id("acme", 1, 2));
        assert_ne!(id("acme", 1, 1), id("acme", 2, 1));
        assert_ne!(id("acme", 1, 1), id("acmf", 1, 1));
    }
}
