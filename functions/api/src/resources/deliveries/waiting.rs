//! What a delivery that has not ended waits for, and until when. It follows from its record and, while it is parked, from
//! its destination.
//!
//! Invariant: a delivery that has not ended says what it waits for, wherever it is shown, and a page reads each destination
//! of what is parked once (tests: `a_delivery_says_what_it_waits_for_and_until_when`,
//! `a_page_reads_each_destination_of_what_is_parked_once`).

use std::collections::{BTreeSet, HashMap};

use domain::delivery::{DeliveryRecord, Held};
use domain::destination::{Destination, HealthState};
use domain::value::{AccountId, DestinationId, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{PortError, PortResult};
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::{Deps, schemas};

/// How many destinations are read concurrently.
const AT_ONCE: usize = 20;

/// What a delivery waits for: `attempt` (one is due, and in the queue or under way), `retry` (the next attempt of its schedule),
/// `turn` (its turn at a destination with a rate limit, or among what is sent again at a bounded rate), `destination_failing`,
/// `destination_held`, `destination_disabled` (set aside until its destination is back), `destination_paused` (set aside until its owner resumes the destination,
/// whatever its health), `drain` (its destination is back, and what was set aside is being sent).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WaitsFor {
    Attempt,
    Retry,
    Turn,
    DestinationFailing,
    DestinationHeld,
    DestinationPaused,
    DestinationDisabled,
    Drain,
}

/// What a delivery waits for, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Waiting)]
pub struct Waiting {
    r#for: WaitsFor,
    /// When that comes, or when a destination that is failing is tried again; `null` where it is not known.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    until: Option<Timestamp>,
}

impl Waiting {
    /// None of a delivery that has ended, or whose destination was deleted.
    pub fn of(record: &DeliveryRecord, destinations: &ReadDestinations, now: Timestamp) -> Option<Self> {
        let (r#for, until) = match record.held {
            Held::Ended { .. } => return None,
            Held::ByQueue { due_at, .. } | Held::ByTable { due_at, .. } if due_at <= now => (WaitsFor::Attempt, None),
            held @ (Held::ByQueue { due_at, .. } | Held::ByTable { due_at, .. }) => {
                (if held.is_in_line() { WaitsFor::Turn } else { WaitsFor::Retry }, Some(due_at))
            }
            Held::ByDestination => {
                let destination = destinations.0.get(&record.delivery.destination)?;
                let held_until = destination.health.held_until.filter(|_| destination.health.is_held(now));
                match destination.health.state {
                    _ if destination.settings.paused => (WaitsFor::DestinationPaused, None),
                    HealthState::Healthy if held_until.is_some() => (WaitsFor::DestinationHeld, held_until),
                    HealthState::Healthy => (WaitsFor::Drain, None),
                    HealthState::Disabled { .. } | HealthState::Closed => (WaitsFor::DestinationDisabled, None),
                    HealthState::Failing { next_probe_at, .. } => {
                        (WaitsFor::DestinationFailing, Some(next_probe_at).filter(|at| *at > now))
                    }
                }
            }
        };
        Some(Self { r#for, until })
    }
}

/// The destinations of what is parked.
#[derive(Default)]
pub struct ReadDestinations(HashMap<DestinationId, Destination>);

impl ReadDestinations {
    pub fn only(destination: Destination) -> Self {
        Self(HashMap::from([(destination.id.clone(), destination)]))
    }

    /// Reads the destination of each record that is parked, once; other records need none. A destination that cannot be read
    /// is left out.
    pub async fn of(deps: &Deps, account: &AccountId, records: &[DeliveryRecord]) -> PortResult<Self> {
        let parked = records.iter().filter(|record| record.held == Held::ByDestination);
        let ids: BTreeSet<_> = parked.map(|record| record.delivery.destination.clone()).collect();
        let found = ids.into_iter().map(|id| async move {
            match deps.destinations.find_destination(account, &id).await {
                Err(PortError::Permanent { .. }) => Ok(None),
                other => other,
            }
        });
        let found: Vec<_> = stream::iter(found).buffered(AT_ONCE).try_collect().await?;
        Ok(Self(found.into_iter().flatten().map(|found| (found.id.clone(), found)).collect()))
    }
}
