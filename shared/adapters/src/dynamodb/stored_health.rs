//! The row of a destination's health. Older releases stored the health in the destination's row. It is read there until
//! it changes; the first change moves it. A health that cannot be read counts as failing and is logged for the
//! operator.
//!
//! Invariant: a failure costs at most one write unit of the table (tests: `a_health_is_one_write_unit`).

use domain::destination::{Destination, Health};
use ports::PortResult;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::Key;
use super::rows::{Unreadable, readable, to_item};
use super::{Item, keys};

/// A destination's health as older releases stored it in the destination's row.
pub(super) const FORMER: [&str; 3] = ["health", "gsi2pk", "gsi2sk"];

#[derive(Serialize)]
pub(super) struct HealthRow<'a> {
    health: &'a Health,
    /// Its key in the index `waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    gsi2pk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gsi2sk: Option<String>,
}

impl HealthRow<'_> {
    pub(super) fn item(destination: &Destination) -> PortResult<Item> {
        let look_at = destination.look_at();
        let row = HealthRow {
            health: &destination.health,
            gsi2pk: look_at.map(|_| keys::watch_pk()),
            gsi2sk: look_at.map(keys::look_at),
        };
        to_item(keys::health(&destination.account, &destination.id), &row)
    }
}

/// A row as it is read.
#[derive(Deserialize)]
struct StoredHealth {
    pk: String,
    sk: String,
    #[serde(default)]
    health: Option<Value>,
}

impl StoredHealth {
    fn understood(self) -> Health {
        understood(&Key { pk: self.pk, sk: self.sk }, self.health)
    }
}

/// The health that is stored in the row with this key. If it cannot be read, it counts as failing.
pub(super) fn understood(key: &Key, stored: Option<Value>) -> Health {
    let stored = stored.unwrap_or_default();
    let version = stored.get("version").and_then(Value::as_u64).unwrap_or_default();
    serde_json::from_value(stored).unwrap_or_else(|error| {
        Unreadable::new(key, error).tell();
        Health::unreadable(version)
    })
}

/// The health in an item.
pub(super) fn health_in(item: Item) -> Health {
    let stored = readable::<StoredHealth, StoredHealth>([item]).next();
    stored.map_or_else(|| Health::unreadable(0), StoredHealth::understood)
}

#[cfg(test)]
mod tests {
    use domain::destination::health::FAILURES;
    use domain::destination::{Drain, Failure};
    use domain::value::Timestamp;
    use testing::{account, destination};

    use super::*;

    /// How many bytes are counted for a write, approximately: names, and values as text.
    fn size(item: &Item) -> usize {
        let value = serde_json::to_string(&serde_dynamo::Item::from(item.clone())).expect("JSON");
        value.len()
    }

    #[test]
    fn a_health_is_one_write_unit() {
        // The longest names, a drain, and two changes that have not been reported.
        let target = destination(&account(&"a".repeat(64)), 1, "https://example.com/");
        let at = Timestamp::from_unix_ms(1_795_426_200_123);
        let mut health = Health::default();
        for n in 1..=FAILURES {
            let failure = Failure {
                at,
                gone: false,
                probe: false,
                asks_to_wait: false,
                retry_after: std::time::Duration::MAX,
                seen_in_a_row: n,
                operational: true,
            };
            health = health.failed(failure).expect("a change");
        }
        health = health.succeeded(at, true).expect("a change");
        assert!(health.untold.len() == 2 && health.drain == Some(Drain { since: at, next_at: at }));
        let item = HealthRow::item(&target.with_health(health)).expect("an item");
        assert!(size(&item) <= 1_024, "{}", size(&item));
    }
}
