//! The roll-ups of destinations: a row each, in the account's partition. A row is in the index only while one of its
//! hours has to be read again.

mod row;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::{Delivery, DeliveryResult, RollUp};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{ByShard, DueRollUp, FindRollUp, Order, PortError, PortResult, RollUps, RolledUpTo, Span};
use serde::{Deserialize, Serialize};

use self::row::{RollUpRow, begun, item};
use super::plain_state::PlainState;
use super::stretch::Stretch;
use super::waiting::{Entry, Position};
use super::{DynamoStore, Written, as_item, keys, written};
use crate::aws::port_error;

/// The progress of a shard. `after` is the sort key of the last processed note.
#[derive(Serialize, Deserialize)]
struct RolledUpToValue {
    until: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
}

impl From<RolledUpToValue> for RolledUpTo {
    fn from(RolledUpToValue { until, after, failed }: RolledUpToValue) -> Self {
        let after = after.and_then(|sk| keys::seal_note_of(&sk));
        Self { until: Timestamp::from_unix_ms(until), after, failed }
    }
}

impl From<&RolledUpTo> for RolledUpToValue {
    fn from(to: &RolledUpTo) -> Self {
        let after = to.after.as_ref().map(|note| keys::seal_note(note).sk);
        Self { until: to.until.unix_ms(), after, failed: to.failed }
    }
}

/// The part that is read of a delivery's row. It is read for each delivery, so nothing in it is flattened or tagged: that
/// takes several times as long.
#[derive(Deserialize)]
struct ResultRow {
    id: DeliveryId,
    state: PlainState,
    #[serde(default)]
    due_at: Option<String>,
    attempts: Vec<TookRow>,
}

#[derive(Deserialize)]
struct TookRow {
    took_ms: u64,
    outcome: Ending,
}

/// The part of an outcome that is told apart.
#[derive(Deserialize)]
struct Ending {
    kind: Kind,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Delivered,
    Refused,
    TimedOut,
    Unreachable,
    Blocked,
}

const RESULT_FIELDS: [&str; 6] = ["pk", "sk", "id", "state", "due_at", "attempts"];
/// How often a roll-up is held open if others keep computing it.
const TRIES: u32 = 5;

impl TryFrom<ResultRow> for DeliveryResult {
    type Error = &'static str;

    fn try_from(row: ResultRow) -> Result<Self, Self::Error> {
        let attempts = row.attempts.iter();
        let attempts = attempts.map(|a| (a.outcome.kind == Kind::Delivered, Duration::from_millis(a.took_ms)));
        Ok(Self::new(row.id, row.state.of(row.due_at)?, attempts))
    }
}

#[async_trait]
impl FindRollUp for DynamoStore {
    async fn find_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<Option<RollUp>> {
        let row = self.get::<RollUpRow, RollUpRow>(keys::roll_up(account, destination)).await?;
        row.map(|row| row.read(account, destination)).transpose()
    }
}

#[async_trait]
impl RollUps for DynamoStore {
    async fn store_roll_up(
        &self,
        before: Option<Timestamp>,
        after: &RollUp,
        look_at: Option<Timestamp>,
    ) -> PortResult<bool> {
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item(after, look_at)?));
        let call = match before {
            None => call.condition_expression("attribute_not_exists(pk)"),
            Some(before) => call
                .condition_expression("computed_at = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.unix_ms().to_string())),
        };
        Ok(matches!(written(call.send().await.map(|_| ()))?, Written::Written))
    }

    async fn forget_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()> {
        let key = as_item(keys::roll_up(account, destination));
        let call = self.client.delete_item().table_name(&self.table).set_key(Some(key));
        call.send().await.map(|_| ()).map_err(|error| port_error("forgetting a roll-up", error))
    }

    async fn due_roll_ups(
        &self,
        until: Timestamp,
        after: Option<&DueRollUp>,
        limit: usize,
    ) -> PortResult<Vec<DueRollUp>> {
        let after = after
            .map(|due| Position { sk: keys::look_at(due.look_at), row: keys::roll_up(&due.account, &due.destination) });
        let due = |entry: Entry| {
            let (account, destination) = keys::rolled_up(&entry.pk, &entry.sk)?;
            Some(DueRollUp { look_at: keys::looked_at(&entry.gsi2sk)?, account, destination })
        };
        self.waiting(keys::roll_ups_pk(), Some(keys::look_at(until)), after, limit, due).await
    }

    async fn list_results(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        span: Span,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryResult>> {
        let what = Stretch::deliveries(account, destination, span, Order::NewestFirst, after, limit);
        self.query_stretch::<ResultRow, _>(Stretch { only: &RESULT_FIELDS, ..what }).await
    }

    async fn rolled_up_to(&self) -> PortResult<ByShard<RolledUpTo>> {
        let shards = self.find_by_shard::<RolledUpToValue>(keys::rolled_up_to()).await?;
        Ok(shards.into_iter().map(|(shard, value)| (shard, value.into())).collect())
    }

    async fn set_rolled_up_to(&self, shards: &ByShard<RolledUpTo>) -> PortResult<()> {
        let shards: ByShard<RolledUpToValue> = shards.iter().map(|(shard, to)| (*shard, to.into())).collect();
        self.store_by_shard(keys::rolled_up_to(), &shards).await
    }
}

impl DynamoStore {
    /// Holds the roll-ups open of the destinations to which these deliveries were added.
    pub(super) async fn hold_roll_ups(&self, added: &[Delivery], until: Timestamp) -> PortResult<()> {
        let destinations: BTreeSet<_> =
            added.iter().map(|delivery| (&delivery.account, &delivery.destination)).collect();
        for (account, destination) in destinations {
            let mut tries = 0;
            while !self.hold_roll_up(account, destination, until).await? {
                tries += 1;
                if tries == TRIES {
                    return Err(PortError::transient("holding a roll-up open", "it was computed again and again"));
                }
            }
        }
        Ok(())
    }

    /// Returns whether nobody else wrote it in the meantime.
    async fn hold_roll_up(&self, account: &AccountId, id: &DestinationId, until: Timestamp) -> PortResult<bool> {
        let before = match self.find_roll_up(account, id).await {
            // What cannot be read is not continued either.
            Err(PortError::Permanent { .. }) => return Ok(true),
            other => other?,
        };
        let Some((before, held)) = before.and_then(|before| Some((before.computed_at, before.held(until)?))) else {
            return Ok(true);
        };
        let number = |at: Timestamp| AttributeValue::N(at.unix_ms().to_string());
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::roll_up(account, id))));
        let call = call.condition_expression("computed_at = :before");
        let call = call.expression_attribute_values(":before", number(before));
        let call = call.expression_attribute_values(":computed_at", number(held.computed_at));
        let call = call.expression_attribute_values(":until", number(until));
        let set = "SET computed_at = :computed_at, held_until = :until";
        let call = match &held.begun {
            None => call.update_expression(format!("{set} REMOVE begun")),
            Some(open) => call
                .update_expression(format!("{set}, begun = :begun"))
                .expression_attribute_values(":begun", begun(open)?),
        };
        match call.send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            other => other.map(|_| true).map_err(|error| port_error("holding a roll-up open", error)),
        }
    }
}
