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
use domain::delivery::{
    Attempts, Delivery, DeliveryRecord, DeliveryState, End, Exhaustion, Held, LeftOut, MessageLease,
};
use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, EventId, Timestamp, TraceParent, trace_parent};
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
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace_parent::if_readable")]
    traceparent: Option<TraceParent>,
    #[serde(flatten)]
    state: DeliveryState,
    /// The attempts so far; their number orders concurrent writes.
    attempts: Vec<AttemptRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_line: bool,
    /// Attempts that are not kept, if there are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOut>,
    /// When it was given up because its event was not kept any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expired_at: Option<Timestamp>,
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
    if record.held == Held::ByDestination {
        return Some((keys::parked_pk(&delivery.account, &delivery.destination), delivery.id.to_string()));
    }
    record.look_at().map(|look_at| (keys::due_pk(keys::shard(&delivery.id)), keys::look_at(look_at)))
}

/// Who holds the delivery of a row. The queue holds what is looked at later than it is due.
fn held(row: &DeliveryRow) -> Held {
    let in_line = row.in_line;
    let how = match row.state {
        DeliveryState::Retrying { due_at } => {
            return match row.look_at {
                Some(look_at) if look_at <= due_at => Held::ByTable { due_at, in_line },
                Some(lost_after) => Held::ByQueue { due_at, lost_after, in_line },
                // It was written before it was noted when it is looked at, and waits in the queue.
                None => Held::ByQueue { due_at, lost_after: due_at.plus(MessageLease::default().length()), in_line },
            };
        }
        DeliveryState::Parked => return Held::ByDestination,
        DeliveryState::Delivered => End::Delivered,
        DeliveryState::Cancelled => End::Cancelled,
        DeliveryState::Exhausted => {
            End::Exhausted(row.expired_at.map_or(Exhaustion::Schedule, |at| Exhaustion::Expired { at }))
        }
    };
    Held::Ended { how, tell_at: row.look_at }
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
            traceparent: record.delivery.traceparent,
            state: record.state(),
            attempts: record.attempts.kept().iter().map(attempt).collect(),
            look_at: record.look_at(),
            in_line: record.held.is_in_line(),
            left_out: Some(record.attempts.left_out()).filter(|left_out| left_out.attempts > 0),
            expired_at: match record.exhaustion() {
                Some(Exhaustion::Expired { at }) => Some(at),
                _ => None,
            },
            recovered_by_audit: record.recovered_by_audit,
            expires_at: record.expires_at.unix_seconds(),
            gsi2pk,
            gsi2sk,
        }
    }
}

impl From<DeliveryRow> for DeliveryRecord {
    fn from(row: DeliveryRow) -> Self {
        // Their numbers follow from their places.
        let attempt = |row: AttemptRow| Attempt {
            number: 0,
            at: row.at,
            took: Duration::from_millis(row.took_ms),
            outcome: row.outcome,
            probe: row.probe,
        };
        let held = held(&row);
        Self {
            held,
            delivery: Delivery {
                destination: row.id.destination(),
                id: row.id,
                account: row.account,
                event: row.event,
                event_type: row.event_type,
                scope: row.scope,
                path: row.path,
                traceparent: row.traceparent,
            },
            attempts: Attempts::stored(
                row.attempts.into_iter().map(attempt).collect(),
                row.left_out.unwrap_or_default(),
            ),
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
    fn every_outcome_and_holder_is_read_back_as_it_was_written() {
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
        let kept = Attempts::stored(attempts.clone(), LeftOut::default());
        let long = Attempts::stored(vec![attempts[0].clone(); 30], LeftOut { attempts: 7, scheduled: 3 });
        let lost_after = at.plus(Duration::from_secs(900));
        let ends = [
            End::Delivered,
            End::Cancelled,
            End::Exhausted(Exhaustion::Schedule),
            End::Exhausted(Exhaustion::Expired { at }),
        ];
        let ended = ends.map(|how| [None, Some(at)].map(|tell_at| Held::Ended { how, tell_at }));
        let open = [true, false]
            .map(|in_line| [Held::ByTable { due_at: at, in_line }, Held::ByQueue { due_at: at, lost_after, in_line }]);
        let holders = open.concat().into_iter().chain([Held::ByDestination]).chain(ended.concat());
        for (held, attempts) in holders.flat_map(|held| [(held, &kept), (held, &long)]) {
            let record = DeliveryRecord {
                attempts: attempts.clone(),
                recovered_by_audit: held == Held::ByDestination,
                ..DeliveryRecord::first(usual(), held, Timestamp::from_unix_ms(1_000))
            };
            let key = keys::delivery(&record.delivery.account, &record.delivery.id);
            let item = to_item(key, &DeliveryRow::from(&record)).expect("an item");
            let read: DeliveryRecord = read::<DeliveryRow, _>(item).expect("a row");
            assert_eq!(read, record);
        }
    }

    #[test]
    fn a_row_from_before_it_was_noted_when_it_is_looked_at_waits_in_the_queue() {
        let due_at = Timestamp::from_unix_ms(1_795_426_200_123);
        let record = DeliveryRecord::first(usual(), Held::ByTable { due_at, in_line: false }, due_at);
        let mut item =
            to_item(keys::delivery(&record.delivery.account, &record.delivery.id), &DeliveryRow::from(&record))
                .expect("an item");
        item.remove("look_at");
        let read: DeliveryRecord = read::<DeliveryRow, _>(item).expect("a row");
        assert!(matches!(read.held, Held::ByQueue { due_at: read, .. } if read == due_at), "{read:?}");
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
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
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
    fn check_size(delivery: Delivery, how: End, outcomes: &[Outcome], limit: usize) {
        let at = Timestamp::from_unix_ms(1_795_426_200_123);
        let took = Duration::from_millis(14_999);
        let attempt =
            |(number, outcome): (u32, &Outcome)| Attempt { number, at, took, outcome: outcome.clone(), probe: false };
        let attempts: Vec<_> = (1..).zip(outcomes).map(attempt).collect();
        let first = DeliveryRecord::first(delivery, Held::ended(how), at);
        let record = DeliveryRecord { attempts: attempts.into(), ..first };
        let key = keys::delivery(&record.delivery.account, &record.delivery.id);
        let item = to_item(key, &DeliveryRow::from(&record)).expect("an item");
        let size: usize = item.iter().map(|(name, value)| name.len() + bytes(value)).sum();
        assert!(size <= limit, "{size} bytes");
    }

    #[test]
    fn a_delivery_costs_one_write_unit_and_a_long_failure_no_more_than_23() {
        check_size(usual(), End::Delivered, &[Outcome::Delivered { status: 200 }], 1_024);
        let refused = |bytes| Outcome::from_answer(503, Some(Duration::from_secs(86_400)), "x".repeat(bytes));
        let mut outcomes = vec![refused(SHORT_EXCERPT_BYTES); 9];
        outcomes.push(refused(EXCERPT_BYTES));
        check_size(usual(), End::Exhausted(Exhaustion::Schedule), &outcomes, 23 * 1_024);
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
            check_size(longest(), End::Exhausted(Exhaustion::Schedule), &outcomes, 40 * 1_024);
        }
    }
}
