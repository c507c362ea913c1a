//! The rows of a sealed event: its own, further ones if it owes more than fits in that, and one for a long body.
//!
//! In the compact [`Form`], the event's own row also leaves out what its keys say: account, id and time.

use data_encoding::HEXLOWER;
use domain::delivery::Delivery;
use domain::destination::DeliveryPath;
use domain::event::envelope::content_digest;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, EventId, Timestamp, TraceParent, trace_parent};
use ports::{EventPlace, PortError, PortResult, Seal, SealedEvent, UnmatchedReason};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::body::{Form, StoredBody};
use crate::dynamodb::keys::{self, Key};
use crate::dynamodb::rows::digest;

/// One delivery owed, as short as possible: the id contains the destination.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OwedRow {
    id: DeliveryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<DeliveryPath>,
}

impl OwedRow {
    /// An upper estimate of its size in the table, in bytes.
    fn bytes(&self) -> usize {
        32 + self.id.as_str().len() + self.path.as_ref().map_or(0, |path| path.as_str().len())
    }
}

/// A further row of what an event owes.
#[derive(Serialize, Deserialize)]
pub(super) struct OwedRows {
    pub(super) owed: Vec<OwedRow>,
    pub(super) expires_at: u64,
}

/// A body in a row of its own.
#[derive(Serialize, Deserialize)]
pub(super) struct BodyRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_z: Option<ByteBuf>,
    expires_at: u64,
}

impl BodyRow {
    fn of(body: StoredBody, expires_at: u64) -> Self {
        let (body, body_z) = body.into_attributes();
        Self { body, body_z, expires_at }
    }

    pub(super) fn into_body(self) -> Option<StoredBody> {
        StoredBody::from_attributes(self.body, self.body_z)
    }
}

/// Everything that is written for an event.
pub(super) struct Rows {
    pub(super) own: EventRow,
    /// What the event owes, if that does not fit into its own row.
    pub(super) further: Vec<Vec<OwedRow>>,
    /// The body, if it is long.
    pub(super) body: Option<BodyRow>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EventRow {
    /// Its keys say this as well. It is missing from a compact row, as are the id and the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<EventId>,
    event_type: EventType,
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    sealed_at: Timestamp,
    digest: ByteBuf,
    /// Missing if it is compact, or in a row of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The same, compact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_z: Option<ByteBuf>,
    /// The name of that row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body_name: Option<String>,
    pub(super) owed: Vec<OwedRow>,
    /// How many further rows there are.
    pub(super) owed_rows: usize,
    /// The seal that they belong to, a part of their keys. It is missing from rows that were sealed without further
    /// ones, or before there was a seal in keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owed_seal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace_parent::if_readable")]
    traceparent: Option<TraceParent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unmatched: Option<String>,
    /// How many of the deliveries were to be sent after the seal; missing if all were sent before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned: Option<usize>,
    pub(super) expires_at: u64,
    /// How many deliveries it owes, in all rows together. It is for the index, which has no lists.
    #[serde(default)]
    pub(super) owed_count: usize,
    /// Its key in the index of events.
    #[serde(default)]
    gsi1pk: String,
    #[serde(default)]
    gsi1sk: String,
}

/// The part of an event's row that tells whether an event is the same, and whether it is wide. The rest need not be
/// understood.
#[derive(Deserialize)]
pub(super) struct SealRow {
    digest: ByteBuf,
    #[serde(default)]
    planned: Option<usize>,
}

impl TryFrom<SealRow> for Seal {
    type Error = PortError;

    fn try_from(row: SealRow) -> PortResult<Self> {
        Ok(Self { digest: digest(&row.digest)?, planned: row.planned })
    }
}

/// How many bytes of a row are filled; the service's limit is 400 KiB.
const ROW_BYTES: usize = 380 * 1024;
/// How long a body in the event's own row may be: with it and a few deliveries, the row still costs one read unit.
const BODY_BYTES: usize = 2_560;

impl OwedRows {
    /// What is owed, as rows that are not too large. All but the last are full.
    pub(super) fn of(owed: &[Delivery], expires_at: u64) -> impl Iterator<Item = Self> {
        lists(owed, 0).into_iter().map(move |owed| Self { owed, expires_at })
    }
}

/// What is owed, as a list for each row. The row of the first list already has `bytes`.
fn lists(owed: &[Delivery], mut bytes: usize) -> Vec<Vec<OwedRow>> {
    let mut lists: Vec<Vec<OwedRow>> = vec![Vec::new()];
    for one in owed.iter().map(|d| OwedRow { id: d.id.clone(), path: d.path.clone() }) {
        bytes += one.bytes();
        if bytes > ROW_BYTES {
            bytes = one.bytes();
            lists.push(Vec::new());
        }
        if let Some(list) = lists.last_mut() {
            list.push(one);
        }
    }
    lists
}

/// Half of the SHA-256 of a text.
fn half_digest(text: &str) -> String {
    let [half @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = content_digest(text);
    HEXLOWER.encode(&half)
}

/// The name of the seal whose further rows hold these.
fn seal_of(further: &[Vec<OwedRow>]) -> String {
    let mut text = String::new();
    for list in further {
        for one in list {
            text.extend([one.id.as_str(), " ", one.path.as_ref().map_or("", |path| path.as_str()), "\n"]);
        }
        text.push('\n');
    }
    half_digest(&text)
}

impl EventRow {
    /// The event's own row, lists for further rows if it owes more than fits in that, and the row of a long body.
    pub(super) fn split(event: &SealedEvent, form: Form) -> Rows {
        let body = StoredBody::of(&event.body, form);
        let (body, apart) = if body.len() <= BODY_BYTES { (Some(body), None) } else { (None, Some(body)) };
        let mut own = lists(&event.owed, body.as_ref().map_or(0, StoredBody::len) + 2_048);
        // What does not fit is not in the event's own row at all, because that is read again with each further one.
        let further = if own.len() > 1 { lists(&event.owed, 0) } else { Vec::new() };
        own.truncate(usize::from(further.is_empty()));
        let (body, body_z) = body.map(StoredBody::into_attributes).unwrap_or_default();
        let is_plain = form == Form::Plain;
        let own = Self {
            account: is_plain.then(|| event.account.clone()),
            id: is_plain.then(|| event.id.clone()),
            event_type: event.event_type,
            scope: event.scope.clone(),
            occurred_at: is_plain.then_some(event.occurred_at),
            sealed_at: event.sealed_at,
            digest: ByteBuf::from(event.digest),
            body_name: apart.is_some().then(|| half_digest(&event.body)),
            body,
            body_z,
            owed: own.concat(),
            owed_rows: further.len(),
            owed_seal: (!further.is_empty()).then(|| seal_of(&further)),
            traceparent: event.traceparent,
            unmatched: event.unmatched.map(|reason| reason.as_str().to_owned()),
            planned: None,
            expires_at: event.expires_at.unix_seconds(),
            owed_count: event.owed.len(),
            gsi1pk: keys::listed_events_pk(&event.account),
            gsi1sk: keys::listed_event_sk(&EventPlace { occurred_at: event.occurred_at, id: event.id.clone() }),
        };
        let body = apart.map(|body| BodyRow::of(body, own.expires_at));
        Rows { own, further, body }
    }

    /// Says that what the event owes is yet to be sent.
    pub(super) fn planned(self) -> Self {
        Self { planned: Some(self.owed_count), ..self }
    }

    /// The event of this key, with what further rows contain, and its body if that is in a row of its own.
    pub(super) fn join(
        self,
        (account, id): (&AccountId, &EventId),
        further: Vec<OwedRow>,
        body: Option<StoredBody>,
    ) -> PortResult<SealedEvent> {
        let missing = |what| PortError::permanent("reading an event", what);
        let body = StoredBody::from_attributes(self.body, self.body_z).or(body);
        let body = body.ok_or_else(|| missing("the row of its body is missing"))?;
        let place = keys::listed_event_place(&self.gsi1sk);
        let occurred_at = self.occurred_at.or_else(|| place.map(|place| place.occurred_at));
        let event_type = self.event_type;
        let (scope, traceparent) = (Some(self.scope.clone()), self.traceparent);
        let delivery = |row: OwedRow| Delivery {
            destination: row.id.destination(),
            id: row.id,
            account: account.clone(),
            event: id.clone(),
            event_type,
            scope: scope.clone(),
            path: row.path,
            traceparent,
        };
        let unmatched = unmatched(self.unmatched.as_deref())?;
        Ok(SealedEvent {
            body: body.into_text(&self.digest).map_err(|fault| PortError::permanent("reading a body", fault))?,
            digest: digest(&self.digest)?,
            owed: self.owed.into_iter().chain(further).map(delivery).collect(),
            traceparent,
            unmatched,
            account: account.clone(),
            id: id.clone(),
            event_type: self.event_type,
            scope: self.scope,
            occurred_at: occurred_at.ok_or_else(|| missing("its time is missing"))?,
            sealed_at: self.sealed_at,
            expires_at: Timestamp::from_unix_ms(self.expires_at * 1000),
        })
    }

    /// The key of the row with the body, if that is not in this one.
    pub(super) fn body_key(&self, account: &AccountId, id: &EventId) -> Option<Key> {
        self.body_name.as_ref().map(|name| keys::body(account, id, name))
    }

    /// The keys of the further rows.
    pub(super) fn further_keys(&self, account: &AccountId, id: &EventId) -> impl Iterator<Item = Key> {
        (0..self.owed_rows).map(move |n| keys::owed(account, id, self.owed_seal.as_deref(), n))
    }
}

pub(super) fn unmatched(text: Option<&str>) -> PortResult<Option<UnmatchedReason>> {
    let unknown = |text| PortError::permanent("reading a row", format!("unknown reason {text:?}"));
    text.map(|text| UnmatchedReason::parse(text).ok_or_else(|| unknown(text))).transpose()
}

#[cfg(test)]
mod tests;
