//! The places in which an account makes tests of destinations at once. A test that waits for a receiver holds an
//! instance of `api` or `portal`, of which an AWS account has a limited number.

use async_trait::async_trait;
use domain::value::{AccountId, Timestamp};

use super::PortResult;

/// A place that was taken until `until`. Who takes it after that may do so even if it was never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestPlace {
    pub number: u8,
    pub until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenPlace {
    Taken(TestPlace),
    /// All are taken; the first becomes free at this time at the latest.
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
