//! Tells of what happened to deliveries and destinations.

use shared::domain::delivery::DeliveryRecord;
use shared::domain::destination::Destination;
use shared::domain::health::HealthChange;
use shared::ports::PortResult;
use tracing::warn;

use crate::Deps;

pub(crate) async fn changed(_deps: &Deps, destination: &Destination, change: &HealthChange) -> PortResult<()> {
    warn!("account.id" = %destination.account, "destination.id" = %destination.id, change = ?change.to, "a destination's health has changed");
    Ok(())
}

pub(crate) async fn exhausted(_deps: &Deps, record: &DeliveryRecord) -> PortResult<()> {
    warn!("account.id" = %record.delivery.account, "delivery.id" = %record.delivery.id, "a delivery was given up");
    Ok(())
}
