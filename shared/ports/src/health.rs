//! The health of destinations.

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
    /// Stores the health if `before` is what is stored; answers whether it was.
    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool>;
}
