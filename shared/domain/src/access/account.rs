//! An account as the operator sees it. What belongs to it knows it by its id alone.

use crate::value::{AccountId, JobId, Timestamp};

/// One customer of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub created_at: Timestamp,
    /// The job that deletes it, or that tried to; from its creation on the account's keys and events are refused.
    pub deletion: Option<JobId>,
}
