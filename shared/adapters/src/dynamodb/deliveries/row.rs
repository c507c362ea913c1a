//! The row of a delivery.
//!
//! Invariant: a delivered row costs one write unit, and a row of ten refusals no more than 23 (tests:
//! `a_delivery_costs_one_write_unit_and_a_long_failure_no_more_than_23`, `what_earlier_answers_said_is_kept_in_short`).
//!
//! Invariant: the row of a delivery with 21 attempts, as many as the longest schedule has, is at most 40 KiB, a tenth of
//! what a row may have, whatever the receiver, a resolver or TLS says (tests:
//! `a_row_of_the_longest_schedule_stays_small_whatever_receivers_say`).

use std::time::Duration;

use domain::attempt::{Attempt, Outcome};
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, EventId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dynamodb::keys;

#[derive(Serialize, Deserialize)]
struct AttemptRow {
    at: Timestamp,
    took_ms: u64,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    probe: bool,
}

#[derive(Serialize, Deserialize)]
pub(in crate::dynamodb) struct DeliveryRow {
    id: DeliveryId,
    account: AccountId,
    event: EventId,
    event_type: EventType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<DeliveryPath>,
    #[serde(flatten)]
    state: DeliveryState,
    /// The attempts so far; their number orders concurrent writes.
    attempts: Vec<AttemptRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_line: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    recovered_by_audit: bool,
    expires_at: u64,
    /// Its key in the index `waiting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2sk: Option<String>,
}

/// The key of a delivery in the index `waiting`, if it is in there.
fn waiting_place(record: &DeliveryRecord) -> Option<(String, String)> {
    let delivery = &record.delivery;
    if record.state == DeliveryState::Parked {
        return Some((keys::parked_pk(&delivery.account, &delivery.destination), delivery.id.to_string()));
    }
    record.look_at.map(|look_at| (keys::due_pk(keys::shard(&delivery.id)), keys::look_at(look_at)))
}

impl From<&DeliveryRecord> for DeliveryRow {
    fn from(record: &DeliveryRecord) -> Self {
        let attempt = |attempt: &Attempt| AttemptRow {
            at: attempt.at,
            took_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            outcome: attempt.outcome.clone(),
            probe: attempt.probe,
        };
        let (gsi2pk, gsi2sk) = waiting_place(record).unzip();
        Self {
            id: record.delivery.id.clone(),
            account: record.delivery.account.clone(),
            event: record.delivery.event.clone(),
            event_type: record.delivery.event_type,
            scope: record.delivery.scope.clone(),
            path: record.delivery.path.clone(),
            state: record.state,
            attempts: record.attempts.iter().map(attempt).collect(),
            look_at: record.look_at,
            in_line: record.in_line,
            recovered_by_audit: record.recovered_by_audit,
            expires_at: record.expires_at.unix_seconds(),
            gsi2pk,
            gsi2sk,
        }
    }
}

impl From<DeliveryRow> for DeliveryRecord {
    fn from(row: DeliveryRow) -> Self {
        let attempt = |(number, row): (u32, AttemptRow)| Attempt {
            number,
            at: row.at,
            took: Duration::from_millis(row.took_ms),
            outcome: row.outcome,
            probe: row.probe,
        };
        Self {
            delivery: Delivery {
                destination: row.id.destination(),
                id: row.id,
                account: row.account,
                event: row.event,
                event_type: row.event_type,
                scope: row.scope,
                path: row.path,
            },
            state: row.state,
            attempts: (1..).zip(row.attempts).map(attempt).collect(),
            look_at: row.look_at,
            in_line: row.in_line,
            recovered_by_audit: row.recovered_by_audit,
            expires_at: Timestamp::from_unix_ms(row.expires_at * 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::attempt::outcome::{EXCERPT_BYTES, SHORT_EXCERPT_BYTES};
    use domain::value::DestinationId;

    use super::*;
    use crate::dynamodb::rows::{read, to_item};

    #[test]
    fn every_outcome_and_state_is_read_back_as_it_was_written() {
        let at = Timestamp::from_unix_ms(1_795_426_200_123);
        let outcomes = [
            Outcome::Delivered { status: 204 },
            Outcome::Refused { status: 503, retry_after: Some(Duration::from_secs(7)), excerpt: "é\u{0}".into() },
            Outcome::Refused { status: 302, retry_after: None, excerpt: String::new() },
            Outcome::TimedOut,
            Outcome::Unreachable { reason: "refused".into() },
            Outcome::Blocked { host: "a.example".into(), address: Some(std::net::Ipv4Addr::LOCALHOST.into()) },
            Outcome::Blocked { host: "b.example".into(), address: None },
        ];
        let attempts = (1..).zip(outcomes);
        let attempts = attempts.map(|(number, outcome)| Attempt {
            number,
            at,
            took: Duration::from_millis(7),
            outcome,
            probe: number == 2,
        });
        let attempts: Vec<_> = attempts.collect();
        let states = [DeliveryState::Retrying { due_at: at }, DeliveryState::Delivered, DeliveryState::Exhausted];
        for state in states.into_iter().chain([DeliveryState::Cancelled, DeliveryState::Parked]) {
            let record = DeliveryRecord {
                delivery: Delivery {
                    id: format!("dlv_{}", "0".repeat(50)).parse().expect("an id"),
                    account: "acme".parse().expect("an account"),
                    event: "evt".parse().expect("an id"),
                    event_type: "sync_run.completed".parse().expect("a type"),
                    scope: Some("connection/xero".parse().expect("a scope")),
                    destination: DestinationId::from_entropy([0; 10]),
                    path: None,
                },
                state,
                attempts: attempts.clone(),
                look_at: state.is_final().then_some(at),
                in_line: state == DeliveryState::Retrying { due_at: at },
                recovered_by_audit: state == DeliveryState::Parked,
                expires_at: Timestamp::from_unix_ms(1_000),
            };
            let key = keys::delivery(&record.delivery.account, &record.delivery.id);
            let item = to_item(key, &DeliveryRow::from(&record)).expect("an item");
            let read: DeliveryRecord = read::<DeliveryRow, _>(item).expect("a row");
            assert_eq!(read, record);
        }
    }

    /// What DynamoDB counts of a value.
    fn bytes(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len() / 2 + 2,
            AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + bytes(value)).sum::<usize>(),
            AttributeValue::M(fields) => 3 + fields.iter().map(|(name, v)| 1 + name.len() + bytes(v)).sum::<usize>(),
            _ => 1,
        }
    }

    /// A row of names as long as platforms use: ids like UUIDs, and a path.
    fn usual() -> Delivery {
        Delivery {
            id: format!("dlv_{}", "0".repeat(50)).parse().expect("an id"),
            account: "a".repeat(36).parse().expect("an account"),
            event: "e".repeat(64).parse().expect("an id"),
            event_type: "insight_population.completed".parse().expect("a type"),
            scope: Some(format!("connection/{0}/endpoint/{0}", "n".repeat(36)).parse().expect("a scope")),
            destination: DestinationId::from_entropy([0; 10]),
            path: Some(format!("/{}", "p".repeat(63)).try_into().expect("a path")),
        }
    }

    /// Names as long as they may be.
    fn longest() -> Delivery {
        Delivery {
            account: "a".repeat(64).parse().expect("an account"),
            event: "e".repeat(128).parse().expect("an id"),
            scope: Some(format!("connection/{0}/endpoint/{0}", "n".repeat(128)).parse().expect("a scope")),
            path: Some(format!("/{}", "p".repeat(255)).try_into().expect("a path")),
            ..usual()
        }
    }

    #[track_caller]
    fn check_size(delivery: Delivery, state: DeliveryState, outcomes: &[Outcome], limit: usize) {
        let at = Timestamp::from_unix_ms(1_795_426_200_123);
        let took = Duration::from_millis(14_999);
        let attempt =
            |(number, outcome): (u32, &Outcome)| Attempt { number, at, took, outcome: outcome.clone(), probe: false };
        let record = DeliveryRecord {
            delivery,
            state,
            attempts: (1..).zip(outcomes).map(attempt).collect(),
            look_at: None,
            in_line: false,
            recovered_by_audit: false,
            expires_at: at,
        };
        let key = keys::delivery(&record.delivery.account, &record.delivery.id);
        let item = to_item(key, &DeliveryRow::from(&record)).expect("an item");
        let size: usize = item.iter().map(|(name, value)| name.len() + bytes(value)).sum();
        assert!(size <= limit, "{size} bytes");
    }

    #[test]
    fn a_delivery_costs_one_write_unit_and_a_long_failure_no_more_than_23() {
        check_size(usual(), DeliveryState::Delivered, &[Outcome::Delivered { status: 200 }], 1_024);
        let refused = |bytes| Outcome::from_answer(503, Some(Duration::from_secs(86_400)), "x".repeat(bytes));
        let mut outcomes = vec![refused(SHORT_EXCERPT_BYTES); 9];
        outcomes.push(refused(EXCERPT_BYTES));
        check_size(usual(), DeliveryState::Exhausted, &outcomes, 23 * 1_024);
    }

    #[test]
    fn a_row_of_the_longest_schedule_stays_small_whatever_receivers_say() {
        let attempts = domain::attempt::retry::MAX_OWN_WAITS + 1;
        // A certificate for a thousand other names makes an error of 66 KB.
        let endless = || "\u{20ac}".repeat(22_000);
        let address = Some(std::net::Ipv6Addr::from([0xff; 16]).into());
        for outcome in [
            Outcome::Unreachable { reason: endless() },
            Outcome::Blocked { host: endless(), address },
            Outcome::Refused { status: 503, retry_after: Some(Duration::MAX), excerpt: endless() },
        ] {
            // As `deliver` does it: once there is a later attempt, the excerpt is kept in short.
            let mut outcomes = vec![outcome; attempts];
            outcomes.iter_mut().take(attempts - 1).for_each(Outcome::shorten);
            check_size(longest(), DeliveryState::Exhausted, &outcomes, 40 * 1_024);
        }
    }
}
