//! The states of many deliveries.

use std::collections::HashMap;

use domain::value::{AccountId, DeliveryId};
use ports::{DeliveryStanding, PortResult};

use crate::web::Deps;

/// The greatest cost of a row, in read units: it has up to 60 KiB, and is not read consistently.
pub const UNITS: usize = 8;

/// The states of those deliveries that have a row. A row counts as long as its event counts, although it may expire
/// slightly earlier: by the time between sending and sealing.
pub async fn of(
    deps: &Deps,
    account: &AccountId,
    ids: &[DeliveryId],
) -> PortResult<HashMap<DeliveryId, DeliveryStanding>> {
    let found = match ids {
        [] => Vec::new(),
        ids => deps.reckoning.find_standings(account, ids).await?,
    };
    Ok(found.into_iter().map(|standing| (standing.id.clone(), standing)).collect())
}
