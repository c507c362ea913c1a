//! The health of destinations. It is stored apart from their settings, so that changes of the two do not conflict.

use async_trait::async_trait;
use domain::destination::{Destination, Health};
use domain::value::{AccountId, DestinationId};

use super::PortResult;
use super::destinations::FindDestination;

/// The health of destinations.
#[async_trait]
pub trait DestinationHealth: FindDestination {
    /// The destination as it is stored now, never from a cache.
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>>;
    /// Stores the health if the stored one is that of `before`; returns whether it was. It does not matter whether the
    /// destination's settings were changed, or the destination was deleted, in the meantime.
    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool>;
    /// Deletes the health of a destination that no longer exists.
    async fn forget_health(&self, account: &AccountId, id: &DestinationId) -> PortResult<()>;
}
