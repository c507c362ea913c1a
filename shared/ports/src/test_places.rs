//! Limits how many tests of destinations an account runs at once: each takes one of a few places. A test that waits for
//! a receiver occupies an instance of `api` or `portal`, and an AWS account has a limited number of those.

use async_trait::async_trait;
use domain::value::{AccountId, Timestamp};

use super::PortResult;

/// A place that was taken until `until`. After that others may take it, even if it was never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestPlace {
    pub number: u8,
    pub until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenPlace {
    Taken(TestPlace),
    /// All are taken. The first becomes free at this time, or earlier.
    None {
        free_at: Timestamp,
    },
}

#[async_trait]
pub trait TestPlaces: Send + Sync {
    /// Takes one of `places` of the account until `until`, if one is free at `now`.
    async fn take_test_place(
        &self,
        account: &AccountId,
        now: Timestamp,
        until: Timestamp,
        places: u8,
    ) -> PortResult<TakenPlace>;
    /// Leaves it, unless somebody else has taken it since.
    async fn leave_test_place(&self, account: &AccountId, place: TestPlace) -> PortResult<()>;
}
