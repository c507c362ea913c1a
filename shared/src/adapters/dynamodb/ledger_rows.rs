//! The rows of the ledger: sealed events, what else they owe, deliveries.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::keys::{self, Key};
use super::rows::digest;
use crate::domain::delivery::{Attempt, Delivery, DeliveryRecord, DeliveryState};
use crate::domain::destination::DeliveryPath;
use crate::domain::event_type::EventType;
use crate::domain::id::{AccountId, DeliveryId, EventId};
use crate::domain::outcome::Outcome;
use crate::domain::scope::Scope;
use crate::domain::timestamp::Timestamp;
use crate::ports::{PortError, PortResult, SealedEvent, UnmatchedReason};

/// One delivery owed, as short as it can be told: the id names the destination.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OwedRow {
    id: DeliveryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<DeliveryPath>,
}

impl OwedRow {
    /// About what it takes in the table, from above.
    fn bytes(&self) -> usize {
        32 + self.id.as_str().len() + self.path.as_ref().map_or(0, |path| path.as_str().len())
    }
}

/// A row holding more of what an event owes than fits in the event's own.
#[derive(Serialize, Deserialize)]
pub(super) struct OwedRows {
    pub(super) owed: Vec<OwedRow>,
    pub(super) expires_at: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EventRow {
    account: AccountId,
    id: EventId,
    event_type: EventType,
    scope: Scope,
    occurred_at: Timestamp,
    sealed_at: Timestamp,
    pub(super) digest: ByteBuf,
    body: String,
    pub(super) owed: Vec<OwedRow>,
    /// How many further rows list what it owes.
    pub(super) owed_rows: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unmatched: Option<String>,
    pub(super) expires_at: u64,
}

/// Bytes of a row that may be filled; the service's limit is 400 KiB.
const ROW_BYTES: usize = 380 * 1024;

impl EventRow {
    /// The event's own row, and the lists for further rows when it owes more than fits there.
    pub(super) fn split(event: &SealedEvent) -> (Self, Vec<Vec<OwedRow>>) {
        let owed = event.owed.iter().map(|d| OwedRow { id: d.id.clone(), path: d.path.clone() });
        let mut lists: Vec<Vec<OwedRow>> = vec![Vec::new()];
        let mut bytes = event.body.len() + 2_048;
        for one in owed {
            bytes += one.bytes();
            if bytes > ROW_BYTES {
                bytes = one.bytes();
                lists.push(Vec::new());
            }
            if let Some(list) = lists.last_mut() {
                list.push(one);
            }
        }
        let further = lists.split_off(1);
        let row = Self {
            account: event.account.clone(),
            id: event.id.clone(),
            event_type: event.event_type,
            scope: event.scope.clone(),
            occurred_at: event.occurred_at,
            sealed_at: event.sealed_at,
            digest: ByteBuf::from(event.digest),
            body: event.body.clone(),
            owed: lists.concat(),
            owed_rows: further.len(),
            unmatched: event.unmatched.map(|reason| reason.as_str().to_owned()),
            expires_at: event.expires_at.unix_seconds(),
        };
        (row, further)
    }

    /// The event, with what further rows say it owes.
    pub(super) fn join(self, further: Vec<OwedRow>) -> PortResult<SealedEvent> {
        let (account, event, event_type) = (self.account.clone(), self.id.clone(), self.event_type);
        let delivery = |row: OwedRow| Delivery {
            destination: row.id.destination(),
            id: row.id,
            account: account.clone(),
            event: event.clone(),
            event_type,
            path: row.path,
        };
        let unmatched = match self.unmatched.as_deref() {
            None => None,
            Some("no_subscription") => Some(UnmatchedReason::NoSubscription),
            Some("conditions_not_met") => Some(UnmatchedReason::ConditionsNotMet),
            Some(other) => return Err(PortError::permanent("reading a row", format!("unknown reason {other:?}"))),
        };
        Ok(SealedEvent {
            digest: digest(&self.digest)?,
            owed: self.owed.into_iter().chain(further).map(delivery).collect(),
            unmatched,
            account: self.account,
            id: self.id,
            event_type: self.event_type,
            scope: self.scope,
            occurred_at: self.occurred_at,
            sealed_at: self.sealed_at,
            body: self.body,
            expires_at: Timestamp::from_unix_ms(self.expires_at * 1000),
        })
    }

    pub(super) fn digest(&self) -> PortResult<[u8; 32]> {
        digest(&self.digest)
    }

    /// The keys of the further rows.
    pub(super) fn further_keys(&self) -> impl Iterator<Item = Key> {
        (0..self.owed_rows).map(|n| keys::owed(&self.account, &self.id, n))
    }
}

#[derive(Serialize, Deserialize)]
struct AttemptRow {
    at: Timestamp,
    took_ms: u64,
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DeliveryRow {
    id: DeliveryId,
    account: AccountId,
    event: EventId,
    event_type: EventType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<DeliveryPath>,
    #[serde(flatten)]
    state: DeliveryState,
    /// The attempts made; their count orders concurrent writes.
    attempts: Vec<AttemptRow>,
    expires_at: u64,
}

impl From<&DeliveryRecord> for DeliveryRow {
    fn from(record: &DeliveryRecord) -> Self {
        let attempt = |attempt: &Attempt| AttemptRow {
            at: attempt.at,
            took_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            outcome: attempt.outcome.clone(),
        };
        Self {
            id: record.delivery.id.clone(),
            account: record.delivery.account.clone(),
            event: record.delivery.event.clone(),
            event_type: record.delivery.event_type,
            path: record.delivery.path.clone(),
            state: record.state,
            attempts: record.attempts.iter().map(attempt).collect(),
            expires_at: record.expires_at.unix_seconds(),
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
        };
        Self {
            delivery: Delivery {
                destination: row.id.destination(),
                id: row.id,
                account: row.account,
                event: row.event,
                event_type: row.event_type,
                path: row.path,
            },
            state: row.state,
            attempts: (1..).zip(row.attempts).map(attempt).collect(),
            expires_at: Timestamp::from_unix_ms(row.expires_at * 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::dynamodb::rows::{from_item, to_item};
    use crate::domain::id::DestinationId;

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
        let attempts =
            attempts.map(|(number, outcome)| Attempt { number, at, took: Duration::from_millis(7), outcome });
        let attempts: Vec<_> = attempts.collect();
        let states = [DeliveryState::Retrying { due_at: at }, DeliveryState::Delivered, DeliveryState::Exhausted];
        for state in states.into_iter().chain([DeliveryState::Cancelled]) {
            let record = DeliveryRecord {
                delivery: Delivery {
                    id: format!("dlv_{}", "0".repeat(50)).parse().expect("an id"),
                    account: "acme".parse().expect("an account"),
                    event: "evt".parse().expect("an id"),
                    event_type: "sync_run.completed".parse().expect("a type"),
                    destination: DestinationId::from_entropy([0; 10]),
                    path: None,
                },
                state,
                attempts: attempts.clone(),
                expires_at: Timestamp::from_unix_ms(1_000),
            };
            let key = keys::delivery(&record.delivery.account, &record.delivery.id);
            let item = to_item(key, &DeliveryRow::from(&record)).expect("an item");
            let row: DeliveryRow = from_item(item).expect("a row");
            assert_eq!(DeliveryRecord::from(row), record);
        }
    }
}
