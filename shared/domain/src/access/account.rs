//! An account as the operator sees it. Everything that belongs to an account refers to it only by its id.

use crate::value::{AccountId, JobId, Timestamp};

/// One customer of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub created_at: Timestamp,
    /// The job that deletes it, or that tried to. While there is one, the account's keys and events are refused.
    pub deletion: Option<JobId>,
}
