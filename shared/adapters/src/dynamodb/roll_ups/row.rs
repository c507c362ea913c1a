//! The row of a roll-up. An hour is stored as a list that includes the bytes of its histogram, so that the row of a usual
//! day has less than two kilobytes.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::attempt::Latencies;
use domain::delivery::roll_up::KEPT;
use domain::delivery::{Begun, Hour, HourRead, RollUp, Tally};
use domain::value::{AccountId, DestinationId, Timestamp};
use ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::dynamodb::rows::{Unreadable, to_attribute, to_item};
use crate::dynamodb::{Item, keys};

/// Times are in milliseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct RollUpRow {
    computed_at: u64,
    hours: Vec<HourRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<BegunRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held_until: Option<u64>,
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

/// The settled beginning of an hour: the hour; up to when; how many were delivered; whether it stays; their latencies.
#[derive(Serialize, Deserialize)]
struct BegunRow(u64, u64, u64, bool, ByteBuf);

impl HourRow {
    fn of((hour, read): (&Hour, &HourRead)) -> Self {
        let Tally { delivered, failed, parked, cancelled, waiting, latencies, partial } = &read.tally;
        let counts = [*delivered, *failed, *parked, *cancelled, *waiting];
        Self(hour.0, read.at.unix_ms(), counts, read.owed, *partial, read.unsure, ByteBuf::from(to_bytes(latencies)))
    }

    fn read(self) -> PortResult<(Hour, HourRead)> {
        let Self(hour, at, [delivered, failed, parked, cancelled, waiting], owed, partial, unsure, latencies) = self;
        let latencies = latencies_of(&latencies)?;
        let tally = Tally { delivered, failed, parked, cancelled, waiting, latencies, partial };
        Ok((Hour(hour), HourRead { at: Timestamp::from_unix_ms(at), tally, owed, unsure }))
    }
}

impl BegunRow {
    fn of(begun: &Begun) -> Self {
        let Begun { hour, to, tally, stays } = begun;
        Self(hour.0, to.unix_ms(), tally.delivered, *stays, ByteBuf::from(to_bytes(&tally.latencies)))
    }

    fn read(self) -> PortResult<Begun> {
        let Self(hour, to, delivered, stays, latencies) = self;
        let tally = Tally { delivered, latencies: latencies_of(&latencies)?, ..Tally::default() };
        Ok(Begun { hour: Hour(hour), to: Timestamp::from_unix_ms(to), tally, stays })
    }
}

fn latencies_of(bytes: &[u8]) -> PortResult<Latencies> {
    from_bytes(bytes).ok_or_else(|| PortError::permanent("reading a roll-up", "its latencies are cut off"))
}

impl RollUpRow {
    pub(super) fn read(self, account: &AccountId, destination: &DestinationId) -> PortResult<RollUp> {
        let hours = self.hours.into_iter().map(HourRow::read).collect::<PortResult<_>>();
        let begun = self.begun.map(BegunRow::read).transpose();
        let key = keys::roll_up(account, destination);
        Ok(RollUp {
            account: account.clone(),
            destination: destination.clone(),
            computed_at: Timestamp::from_unix_ms(self.computed_at),
            hours: hours.map_err(|error| Unreadable::new(&key, error))?,
            begun: begun.map_err(|error| Unreadable::new(&key, error))?,
            held_until: self.held_until.map(Timestamp::from_unix_ms),
        })
    }
}

pub(super) fn item(roll_up: &RollUp, look_at: Option<Timestamp>) -> PortResult<Item> {
    let row = RollUpRow {
        computed_at: roll_up.computed_at.unix_ms(),
        hours: roll_up.hours.iter().map(HourRow::of).collect(),
        begun: roll_up.begun.as_ref().map(BegunRow::of),
        held_until: roll_up.held_until.map(Timestamp::unix_ms),
        expires_at: roll_up.computed_at.plus(KEPT).unix_seconds(),
        gsi2pk: look_at.map(|_| keys::roll_ups_pk()),
        gsi2sk: look_at.map(keys::look_at),
    };
    to_item(keys::roll_up(&roll_up.account, &roll_up.destination), &row)
}

/// The attribute of a beginning.
pub(super) fn begun(begun: &Begun) -> PortResult<AttributeValue> {
    to_attribute(&BegunRow::of(begun))
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

#[cfg(test)]
mod tests {
    use super::*;

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
        // The row of 0.2.0 has neither a beginning nor a hold.
        let row = serde_json::json!({ "computed_at": 7, "hours": [], "expires_at": 8 });
        let row: RollUpRow = serde_json::from_value(row).expect("a row");
        let account = "acme".parse().expect("an account");
        let roll_up = row.read(&account, &DestinationId::from_entropy([1; 10])).expect("a roll-up");
        assert_eq!((roll_up.begun, roll_up.held_until), (None, None));
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
        let hour = |n: u64| (Hour(498_729 + n), read.clone());
        let begun = Begun { hour: Hour(498_752), to: at, tally: read.tally.clone(), stays: false };
        let day = RollUp {
            account: "a".repeat(64).parse().expect("an account"),
            destination: DestinationId::from_entropy([1; 10]),
            computed_at: at,
            hours: (0..24).map(hour).collect(),
            begun: Some(begun),
            held_until: None,
        };
        let item = item(&day, None).expect("an item");
        let size: usize = item.iter().map(|(name, value)| name.len() + bytes(value)).sum();
        assert!(size < 2_048 - 20, "{size}");
    }
}
