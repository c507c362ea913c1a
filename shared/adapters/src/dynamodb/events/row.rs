//! The rows of a sealed event: its own, and further ones if it owes more than fits in that.

use data_encoding::HEXLOWER;
use domain::delivery::Delivery;
use domain::destination::DeliveryPath;
use domain::event::envelope::content_digest;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, EventId, Timestamp, TraceParent, trace_parent};
use ports::{EventPlace, PortError, PortResult, Seal, SealedEvent, UnmatchedReason};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

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

#[derive(Serialize, Deserialize)]
pub(super) struct EventRow {
    account: AccountId,
    id: EventId,
    event_type: EventType,
    scope: Scope,
    occurred_at: Timestamp,
    sealed_at: Timestamp,
    digest: ByteBuf,
    /// Missing if it is in a row of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
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
    /// The event's own row, and lists for further rows if it owes more than fits in that. A long body is in neither.
    pub(super) fn split(event: &SealedEvent) -> (Self, Vec<Vec<OwedRow>>) {
        let body = Some(&event.body).filter(|body| body.len() <= BODY_BYTES);
        let mut own = lists(&event.owed, body.map_or(0, String::len) + 2_048);
        // What does not fit is not in the event's own row at all, because that is read again with each further one.
        let further = if own.len() > 1 { lists(&event.owed, 0) } else { Vec::new() };
        own.truncate(usize::from(further.is_empty()));
        let row = Self {
            account: event.account.clone(),
            id: event.id.clone(),
            event_type: event.event_type,
            scope: event.scope.clone(),
            occurred_at: event.occurred_at,
            sealed_at: event.sealed_at,
            digest: ByteBuf::from(event.digest),
            body_name: body.is_none().then(|| half_digest(&event.body)),
            body: body.cloned(),
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
        (row, further)
    }

    /// Says that what the event owes is yet to be sent.
    pub(super) fn planned(self) -> Self {
        Self { planned: Some(self.owed_count), ..self }
    }

    /// The event, with what further rows contain, and its body if that is in a row of its own.
    pub(super) fn join(self, further: Vec<OwedRow>, body: Option<String>) -> PortResult<SealedEvent> {
        let missing = || PortError::permanent("reading an event", "the row of its body is missing");
        let body = self.body.or(body).ok_or_else(missing)?;
        let (account, event, event_type) = (self.account.clone(), self.id.clone(), self.event_type);
        let (scope, traceparent) = (Some(self.scope.clone()), self.traceparent);
        let delivery = |row: OwedRow| Delivery {
            destination: row.id.destination(),
            id: row.id,
            account: account.clone(),
            event: event.clone(),
            event_type,
            scope: scope.clone(),
            path: row.path,
            traceparent,
        };
        let unmatched = unmatched(self.unmatched.as_deref())?;
        Ok(SealedEvent {
            digest: digest(&self.digest)?,
            owed: self.owed.into_iter().chain(further).map(delivery).collect(),
            traceparent,
            unmatched,
            account: self.account,
            id: self.id,
            event_type: self.event_type,
            scope: self.scope,
            occurred_at: self.occurred_at,
            sealed_at: self.sealed_at,
            body,
            expires_at: Timestamp::from_unix_ms(self.expires_at * 1000),
        })
    }

    pub(super) fn key(&self) -> Key {
        keys::event(&self.account, &self.id)
    }

    /// The key of the row with the body, if that is not in this one.
    pub(super) fn body_key(&self) -> Option<Key> {
        self.body_name.as_ref().map(|name| keys::body(&self.account, &self.id, name))
    }

    /// The keys of the further rows.
    pub(super) fn further_keys(&self) -> impl Iterator<Item = Key> {
        (0..self.owed_rows).map(|n| keys::owed(&self.account, &self.id, self.owed_seal.as_deref(), n))
    }
}

pub(super) fn unmatched(text: Option<&str>) -> PortResult<Option<UnmatchedReason>> {
    let unknown = |text| PortError::permanent("reading a row", format!("unknown reason {text:?}"));
    text.map(|text| UnmatchedReason::parse(text).ok_or_else(|| unknown(text))).transpose()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::event::Event;
    use domain::value::DestinationId;

    use super::*;
    use crate::dynamodb::rows::{read, to_item};

    /// An event that owes one delivery to each of `destinations`.
    fn sealed(destinations: std::ops::Range<u16>, sealed_at: u64) -> SealedEvent {
        let at = Timestamp::from_unix_ms(1_795_426_200_000);
        let (account, id): (AccountId, EventId) = ("acme".parse().expect("one"), "evt-1".parse().expect("one"));
        let destination = |n: u16| {
            let [a, b] = n.to_be_bytes();
            DestinationId::from_entropy([0, 0, 0, 0, 0, 0, 0, 0, a, b])
        };
        let text = include_str!("../../../../../events/demo-sync-run-succeeded.json");
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
        let event = Event { traceparent, ..Event::parse(text, at).expect("an event") };
        SealedEvent {
            owed: destinations.map(|n| Delivery::of_event(&event, destination(n), None)).collect(),
            account,
            id,
            event_type: event.event_type,
            scope: event.scope,
            occurred_at: at,
            sealed_at: Timestamp::from_unix_ms(sealed_at),
            digest: [0; 32],
            body: "x".repeat(250_000),
            traceparent,
            unmatched: None,
            expires_at: at,
        }
    }

    fn further_keys(event: &SealedEvent) -> Vec<String> {
        EventRow::split(event).0.further_keys().map(|key| key.sk).collect()
    }

    #[test]
    fn the_further_rows_of_two_seals_do_not_mix() {
        let one = further_keys(&sealed(0..13_000, 1));
        assert!(one.len() > 1);
        // Between the two, a subscription was added, and one was deleted.
        for other in [0..13_001, 0..12_999, 1..13_000] {
            let other = further_keys(&sealed(other, 1));
            assert!(one.iter().collect::<BTreeSet<_>>().is_disjoint(&other.iter().collect()), "{one:?} {other:?}");
        }
        assert_eq!(one, further_keys(&sealed(0..13_000, 2)), "an equal seal writes the same rows");
    }

    #[test]
    fn what_an_event_owes_is_read_for_one_unit_however_long_its_body_is() {
        for (owed, length) in [(0, 250_000), (10, 250_000), (10, 2_561), (10, 2_560)] {
            let event = SealedEvent { body: "x".repeat(length), ..sealed(0..owed, 1) };
            let row = EventRow::split(&event).0;
            let size = serde_json::to_string(&row).expect("JSON").len();
            assert!(size <= 4_096, "{size} with {owed} and {length}");
            assert_eq!(row.body_key().is_some(), length > 2_560);
        }
    }

    #[test]
    fn an_event_and_what_it_owes_keep_its_traceparent_and_a_row_without_one_is_as_before() {
        let event = SealedEvent { body: "{}".to_owned(), ..sealed(0..2, 1) };
        let item = |event: &SealedEvent| {
            to_item(keys::event(&event.account, &event.id), &EventRow::split(event).0).expect("an item")
        };
        let read = |item| read::<EventRow, EventRow>(item).expect("a row").join(Vec::new(), None).expect("an event");
        let traces = |event: &SealedEvent| {
            event.owed.iter().map(|owed| owed.traceparent).chain([event.traceparent]).collect::<Vec<_>>()
        };
        assert!(event.traceparent.is_some() && traces(&read(item(&event))) == [event.traceparent; 3]);
        let mut later = item(&event);
        later.insert("traceparent".to_owned(), AttributeValue::S("of a later release".to_owned()));
        let without = read(later);
        assert_eq!(traces(&without), [None; 3]);
        assert!(!item(&without).contains_key("traceparent"));
    }

    #[test]
    fn a_body_of_before_is_in_the_row_however_long() {
        let event = sealed(0..2, 1);
        let mut row = EventRow::split(&event).0;
        (row.body, row.body_name) = (Some(event.body.clone()), None);
        let item = to_item(keys::event(&event.account, &event.id), &row).expect("an item");
        let read: EventRow = read::<EventRow, EventRow>(item).expect("a row");
        assert!(read.join(Vec::new(), None).expect("an event").body == event.body);
        let apart = EventRow::split(&event).0;
        assert!(apart.join(Vec::new(), None).is_err(), "a body that is missing is told");
    }

    #[test]
    fn further_rows_of_before_are_found_under_their_keys() {
        let event = sealed(0..13_000, 1);
        let mut item = to_item(keys::event(&event.account, &event.id), &EventRow::split(&event).0).expect("an item");
        item.remove("owed_seal").expect("a seal");
        let row: EventRow = read::<EventRow, EventRow>(item).expect("a row");
        let keys: Vec<_> = row.further_keys().map(|key| key.sk).collect();
        assert_eq!(keys[..2], ["OWED#00000", "OWED#00001"]);
        let narrow = to_item(keys::event(&event.account, &event.id), &EventRow::split(&sealed(0..9, 1)).0);
        assert!(!narrow.expect("an item").contains_key("owed_seal"), "a narrow event's row is as before");
    }
}
