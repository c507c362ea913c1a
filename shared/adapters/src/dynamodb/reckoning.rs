//! The ledger in bulk: up to 100 rows with one call, and only the needed part of each. A row that cannot be read is left
//! out and told to the operator: its event then owes nothing here, its delivery seems pending.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::delivery::DeliveryState;
use domain::value::{AccountId, DeliveryId, EventId};
use ports::{BoxError, DeliveryStanding, PortError, PortResult, Reckoning};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::{self, Key};
use super::rows::readable;
use super::{DynamoStore, Item, as_item};
use crate::aws::{build_error, port_error};

/// How many rows one call may ask for.
const BATCH: usize = 100;
/// How often the rest of a batch is asked for again.
const TRIES: u32 = 6;

/// The part that is read of rows.
#[derive(Clone, Copy)]
struct Fields {
    expression: &'static str,
    /// The real name of `#state`, if the expression contains it.
    state: Option<&'static str>,
    /// Whether the read is consistent.
    consistent: bool,
}

/// Read consistently: the event was in the index, so its row must be found.
const OWED: Fields = Fields { expression: "pk, sk, owed, owed_rows, owed_seal", state: None, consistent: true };
const STANDING: Fields =
    Fields { expression: "pk, sk, id, #state, due_at, recovered_by_audit", state: Some("state"), consistent: false };

/// What a row of an event says that it owes. It is either the event's own row, or a further row, which refers to no
/// others.
#[derive(Deserialize)]
struct OwedPart {
    pk: String,
    owed: Vec<OwedId>,
    #[serde(default)]
    owed_rows: usize,
    #[serde(default)]
    owed_seal: Option<String>,
}

#[derive(Deserialize)]
struct OwedId {
    id: DeliveryId,
}

#[derive(Deserialize)]
struct StandingRow {
    id: DeliveryId,
    #[serde(default)]
    recovered_by_audit: bool,
    #[serde(flatten)]
    state: DeliveryState,
}

impl From<StandingRow> for DeliveryStanding {
    fn from(row: StandingRow) -> Self {
        Self { id: row.id, state: row.state, recovered_by_audit: row.recovered_by_audit }
    }
}

impl DynamoStore {
    /// The rows that exist and can be read, in any order.
    async fn get_all<R, T>(&self, rows: Vec<Key>, fields: Fields) -> PortResult<Vec<T>>
    where
        R: DeserializeOwned,
        T: TryFrom<R, Error: Into<BoxError>>,
    {
        let mut found = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            found.extend(readable::<R, T>(self.get_batch(batch, fields).await?));
        }
        Ok(found)
    }

    async fn get_batch(&self, batch: &[Key], fields: Fields) -> PortResult<Vec<Item>> {
        let asked = KeysAndAttributes::builder().set_keys(Some(batch.iter().cloned().map(as_item).collect()));
        let asked = asked.projection_expression(fields.expression).consistent_read(fields.consistent);
        let names = fields.state.map(|name| HashMap::from([("#state".to_owned(), name.to_owned())]));
        let mut found = Vec::new();
        let mut left = asked.set_expression_attribute_names(names).build().map_err(build_error)?;
        for tried in 0..TRIES {
            let call = self.client.batch_get_item().request_items(&self.table, left);
            let answer = call.send().await.map_err(|error| port_error("reading rows", error))?;
            found.extend(answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default());
            // An answer has at most 16 MB, and a throttled table leaves rows out.
            match answer.unprocessed_keys.unwrap_or_default().remove(&self.table) {
                Some(rest) => left = rest,
                None => return Ok(found),
            }
            tokio::time::sleep(Duration::from_millis(50) * 2_u32.pow(tried)).await;
        }
        Err(PortError::transient("reading rows", "the table left rows out of a batch again and again"))
    }
}

#[async_trait]
impl Reckoning for DynamoStore {
    async fn find_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, Vec<DeliveryId>)>> {
        let rows = events.iter().map(|id| keys::event(account, id)).collect();
        let parts = self.get_all::<OwedPart, OwedPart>(rows, OWED).await?;
        let part_of: HashMap<&str, &OwedPart> = parts.iter().map(|part| (part.pk.as_str(), part)).collect();
        let further = events.iter().flat_map(|id| {
            let part = part_of.get(keys::event_pk(account, id).as_str()).copied();
            let seal = part.and_then(|part| part.owed_seal.as_deref());
            (0..part.map_or(0, |part| part.owed_rows)).map(move |n| keys::owed(account, id, seal, n))
        });
        let further = self.get_all::<OwedPart, OwedPart>(further.collect(), OWED).await?;
        let mut owed: HashMap<String, Vec<DeliveryId>> = HashMap::new();
        for part in parts.into_iter().chain(further) {
            owed.entry(part.pk).or_default().extend(part.owed.into_iter().map(|one| one.id));
        }
        let of_event = |id: &EventId| Some((id.clone(), owed.remove(&keys::event_pk(account, id))?));
        Ok(events.iter().filter_map(of_event).collect())
    }

    async fn find_standings(&self, account: &AccountId, ids: &[DeliveryId]) -> PortResult<Vec<DeliveryStanding>> {
        let rows = ids.iter().map(|id| keys::delivery(account, id)).collect();
        self.get_all::<StandingRow, _>(rows, STANDING).await
    }
}
