//! The health of destinations. It is stored apart from what their owners configure, so that neither change is in the way
//! of the other.

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
    /// Stores the health if that of `before` is what is stored; answers whether it was. It makes no difference whether its
    /// owner has changed the destination meanwhile, or deleted it.
    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool>;
    /// Deletes the health of a destination that does not exist any more.
    async fn forget_health(&self, account: &AccountId, id: &DestinationId) -> PortResult<()>;
}
