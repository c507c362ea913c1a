//! The roll-ups of destinations: a row each, in the account's partition. A row is in the index only while one of its
//! hours has to be read again. An hour is stored as a list that includes the bytes of its histogram, so that the row of
//! a usual day has less than two kilobytes.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::attempt::{Latencies, Outcome};
use domain::delivery::roll_up::KEPT;
use domain::delivery::{DeliveryResult, DeliveryState, Hour, HourRead, RollUp, Tally};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{ByShard, DueRollUp, FindRollUp, Order, PortError, PortResult, RollUps, RolledUpTo, Span};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rows::{Unreadable, to_item};
use super::stretch::Stretch;
use super::waiting::{Entry, Position};
use super::{DynamoStore, Written, as_item, keys, written};
use crate::aws::port_error;

/// Times are in milliseconds.
#[derive(Serialize, Deserialize)]
struct RollUpRow {
    computed_at: u64,
    hours: Vec<HourRow>,
    expires_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2sk: Option<String>,
}

/// The hour; when it was read; the numbers of delivered, failed, parked, cancelled and waiting deliveries; how many are
/// owed; whether it is partial, and unsure; its latencies.
#[derive(Serialize, Deserialize)]
struct HourRow(u64, u64, [u64; 5], u64, bool, bool, ByteBuf);

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

/// The part that is read of a delivery's row.
#[derive(Deserialize)]
struct ResultRow {
    id: DeliveryId,
    #[serde(flatten)]
    state: DeliveryState,
    attempts: Vec<TookRow>,
}

#[derive(Deserialize)]
struct TookRow {
    took_ms: u64,
    outcome: Outcome,
}

const RESULT_FIELDS: [&str; 6] = ["pk", "sk", "id", "state", "due_at", "attempts"];

impl From<ResultRow> for DeliveryResult {
    fn from(row: ResultRow) -> Self {
        let attempts = row.attempts.iter().map(|a| (&a.outcome, Duration::from_millis(a.took_ms)));
        Self::new(row.id, row.state, attempts)
    }
}

impl HourRow {
    fn of((hour, read): (&Hour, &HourRead)) -> Self {
        let Tally { delivered, failed, parked, cancelled, waiting, latencies, partial } = &read.tally;
        let counts = [*delivered, *failed, *parked, *cancelled, *waiting];
        Self(hour.0, read.at.unix_ms(), counts, read.owed, *partial, read.unsure, ByteBuf::from(to_bytes(latencies)))
    }

    fn read(self) -> PortResult<(Hour, HourRead)> {
        let Self(hour, at, [delivered, failed, parked, cancelled, waiting], owed, partial, unsure, latencies) = self;
        let latencies = from_bytes(&latencies)
            .ok_or_else(|| PortError::permanent("reading a roll-up", "its latencies are cut off"))?;
        let tally = Tally { delivered, failed, parked, cancelled, waiting, latencies, partial };
        Ok((Hour(hour), HourRead { at: Timestamp::from_unix_ms(at), tally, owed, unsure }))
    }
}

/// For each bucket one byte, then its count in groups of seven bits, the lowest first.
fn to_bytes(latencies: &Latencies) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (bucket, mut count) in latencies.buckets() {
        bytes.push(bucket);
        while count > 0x7f {
            bytes.push(count.to_le_bytes()[0] | 0x80);
            count >>= 7;
        }
        bytes.push(count.to_le_bytes()[0]);
    }
    bytes
}

fn from_bytes(bytes: &[u8]) -> Option<Latencies> {
    let mut bytes = bytes.iter().copied();
    let mut buckets = Vec::new();
    while let Some(bucket) = bytes.next() {
        let (mut count, mut shift) = (0u64, 0);
        loop {
            let group = bytes.next()?;
            count |= u64::from(group & 0x7f).checked_shl(shift)?;
            shift += 7;
            if group <= 0x7f {
                break;
            }
        }
        buckets.push((bucket, count));
    }
    Some(buckets.into_iter().collect())
}

#[async_trait]
impl FindRollUp for DynamoStore {
    async fn find_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<Option<RollUp>> {
        let key = keys::roll_up(account, destination);
        let row = self.get::<RollUpRow, RollUpRow>(key.clone()).await?;
        let roll_up = |row: RollUpRow| {
            let hours = row.hours.into_iter().map(HourRow::read).collect::<PortResult<_>>();
            Ok(RollUp {
                account: account.clone(),
                destination: destination.clone(),
                computed_at: Timestamp::from_unix_ms(row.computed_at),
                hours: hours.map_err(|error| Unreadable::new(&key, error))?,
            })
        };
        row.map(roll_up).transpose()
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
        let row = RollUpRow {
            computed_at: after.computed_at.unix_ms(),
            hours: after.hours.iter().map(HourRow::of).collect(),
            expires_at: after.computed_at.plus(KEPT).unix_seconds(),
            gsi2pk: look_at.map(|_| keys::roll_ups_pk()),
            gsi2sk: look_at.map(keys::look_at),
        };
        let item = to_item(keys::roll_up(&after.account, &after.destination), &row)?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::rows::to_attribute;

    #[test]
    fn an_hour_is_read_back_as_it_was_written() {
        let latencies: Latencies = [(0, 1), (7, 127), (8, 128), (255, u64::MAX)].into_iter().collect();
        let tally = Tally { delivered: 1, failed: 2, parked: 3, cancelled: 4, waiting: 5, latencies, partial: true };
        let at = Timestamp::from_unix_ms(1_795_426_200_123);
        for unsure in [true, false] {
            let read = HourRead { at, tally: tally.clone(), owed: 19, unsure };
            let value = to_attribute(&HourRow::of((&Hour(9), &read))).expect("a value");
            let row: HourRow = serde_dynamo::from_attribute_value(value).expect("a row");
            assert_eq!(row.read().expect("an hour"), (Hour(9), read));
        }
        assert!(from_bytes(&[7]).is_none() && from_bytes(&[7, 0x80]).is_none());
        assert!(from_bytes(&[7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_none());
    }

    /// The size of a value as DynamoDB counts it.
    fn bytes(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len() / 2 + 2,
            AttributeValue::B(blob) => blob.as_ref().len(),
            AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + bytes(value)).sum::<usize>(),
            _ => 1,
        }
    }

    #[test]
    fn a_day_with_deliveries_in_every_hour_costs_two_write_units_to_keep() {
        let latencies: Latencies = (40..52).map(|bucket| (bucket, 99)).collect();
        let tally = Tally { delivered: 1_188, failed: 12, latencies, ..Tally::default() };
        let at = Timestamp::from_unix_ms(1_795_426_200_123);
        let read = HourRead { at, owed: tally.count(), tally, unsure: false };
        let size = 24 * (1 + bytes(&to_attribute(&HourRow::of((&Hour(498_729), &read))).expect("a value")));
        assert!(size < 2_048 - 200, "{size}");
    }
}
