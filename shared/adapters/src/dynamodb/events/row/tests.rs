//! What is in which row of an event, and how large that is.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64;
use domain::event::Event;
use domain::event::envelope::build;
use domain::value::DestinationId;

use serde_json::value::RawValue;

use super::*;
use crate::dynamodb::Item;
use crate::dynamodb::rows::{read, to_item};

fn own(event: &SealedEvent) -> EventRow {
    EventRow::split(event, Form::Plain).own
}

fn item(event: &SealedEvent, form: Form) -> Item {
    to_item(keys::event(&event.account, &event.id), &EventRow::split(event, form).own).expect("an item")
}

/// The size of an item, as DynamoDB counts it.
fn size(item: &Item) -> usize {
    fn of(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::L(list) => 3 + list.iter().map(|one| 1 + of(one)).sum::<usize>(),
            AttributeValue::M(fields) => 3 + fields.iter().map(|(name, one)| 1 + name.len() + of(one)).sum::<usize>(),
            other => panic!("a row of an event has no {other:?}"),
        }
    }
    item.iter().map(|(name, value)| name.len() + of(value)).sum()
}

fn destination(n: u16) -> DestinationId {
    let [a, b] = n.to_be_bytes();
    DestinationId::from_entropy([0, 0, 0, 0, 0, 0, 0, 0, a, b])
}

/// An event that owes one delivery to each of `destinations`.
fn sealed(destinations: std::ops::Range<u16>, sealed_at: u64) -> SealedEvent {
    let at = Timestamp::from_unix_ms(1_795_426_200_000);
    let (account, id): (AccountId, EventId) = ("acme".parse().expect("one"), "evt-1".parse().expect("one"));
    let text = include_str!("../../../../../../events/demo-sync-run-succeeded.json");
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

/// The event that is read from its row, and from that of its body.
fn back(item: Item, event: &SealedEvent, body: Option<StoredBody>) -> PortResult<SealedEvent> {
    read::<EventRow, EventRow>(item).expect("a row").join((&event.account, &event.id), Vec::new(), body)
}

fn further_keys(event: &SealedEvent) -> Vec<String> {
    own(event).further_keys(&event.account, &event.id).map(|key| key.sk).collect()
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
        let size = size(&item(&event, Form::Plain));
        assert!(size <= 4_096, "{size} with {owed} and {length}");
        assert_eq!(own(&event).body_key(&event.account, &event.id).is_some(), length > 2_560);
    }
    // In the compact form, a body is as long as it is in the row.
    for length in (0..6_000).step_by(97) {
        let event = filled("acme", "evt-1", length, 10);
        let rows = EventRow::split(&event, Form::Compact);
        let (size, apart) = (size(&item(&event, Form::Compact)), rows.body.is_some());
        assert!(size <= 4_096 && apart == (size < 1_500 && length > 2_000), "{size} with {length}: {apart}");
        assert_eq!(rows.own.body_key(&event.account, &event.id).is_some(), apart);
    }
}

/// An event like a sample, with so many bytes of a text that hardly compresses. It owes deliveries to so many destinations.
fn filled(account: &str, id: &str, bytes: usize, owed: u16) -> SealedEvent {
    let (mut text, mut block) = (String::new(), "noise".to_owned());
    while text.len() < bytes {
        block = BASE64.encode(&content_digest(&block));
        text += &block;
    }
    text.truncate(bytes);
    let sample = include_str!("../../../../../../events/demo-sync-run-succeeded.json");
    let sample = sample.replace("evt-sync-run-41907", id).replace("\"acme\"", &format!("\"{account}\""));
    of_text(&sample.replace("\"data\": {", &format!("\"data\": {{ \"note\": \"{text}\",")), owed)
}

/// The event of this text, as its producer sent it.
fn of_text(text: &str, owed: u16) -> SealedEvent {
    let at = Timestamp::from_unix_ms(1_795_426_200_000);
    sealed_as(Event::parse(text, at).map_err(|rejection| rejection.detail).expect("an event"), owed)
}

fn sealed_as(event: Event, owed: u16) -> SealedEvent {
    let body = build(&event).expect("a body").get().to_owned();
    SealedEvent {
        digest: content_digest(&body),
        owed: (0..owed).map(|n| Delivery::of_event(&event, destination(n), None)).collect(),
        body,
        account: event.account,
        id: event.id,
        event_type: event.event_type,
        scope: event.scope,
        occurred_at: event.occurred_at,
        traceparent: None,
        ..sealed(0..0, 1)
    }
}

#[test]
fn an_event_and_what_it_owes_keep_its_traceparent_and_a_row_without_one_is_as_before() {
    let event = SealedEvent { body: "{}".to_owned(), ..sealed(0..2, 1) };
    let item = |event: &SealedEvent| item(event, Form::Plain);
    let read = |item| back(item, &event, None).expect("an event");
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
    let mut row = own(&event);
    (row.body, row.body_name) = (Some(event.body.clone()), None);
    let inside = to_item(keys::event(&event.account, &event.id), &row).expect("an item");
    assert!(back(inside, &event, None).expect("an event").body == event.body);
    let apart = item(&event, Form::Plain);
    assert!(back(apart, &event, None).is_err(), "a body that is missing is told");
}

#[test]
fn further_rows_of_before_are_found_under_their_keys() {
    let event = sealed(0..13_000, 1);
    let mut wide = item(&event, Form::Plain);
    wide.remove("owed_seal").expect("a seal");
    let row: EventRow = read::<EventRow, EventRow>(wide).expect("a row");
    let keys: Vec<_> = row.further_keys(&event.account, &event.id).map(|key| key.sk).collect();
    assert_eq!(keys[..2], ["OWED#00000", "OWED#00001"]);
    let narrow = item(&sealed(0..9, 1), Form::Plain);
    assert!(!narrow.contains_key("owed_seal"), "a narrow event's row is as before");
}

const OF_BOTH: [&str; 12] = [
    "digest",
    "event_type",
    "expires_at",
    "gsi1pk",
    "gsi1sk",
    "owed",
    "owed_count",
    "owed_rows",
    "pk",
    "scope",
    "sealed_at",
    "sk",
];

#[test]
fn in_the_plain_form_a_row_has_what_it_had() {
    let names = |item: Item| item.into_keys().collect::<BTreeSet<_>>();
    let and = |more: &[&str]| OF_BOTH.iter().chain(more).map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let of_before = ["account", "id", "occurred_at"];
    for (bytes, plain, compact) in [(0, "body", "body_z"), (4_000, "body_name", "body_name")] {
        let event = filled("acme", "evt-1", bytes, 3);
        let stored = item(&event, Form::Plain);
        assert_eq!(stored["occurred_at"].as_s().expect("a time"), "2026-11-23T09:30:42.000Z");
        assert!(stored.get("body").is_none_or(|body| body.as_s().expect("a text") == &event.body));
        assert_eq!(names(stored), and(&[&of_before[..], &[plain]].concat()));
        assert_eq!(names(item(&event, Form::Compact)), and(&[compact]));
    }
    let long = filled("acme", "evt-1", 4_000, 3);
    let row = |form| to_item(keys::body(&long.account, &long.id, "x"), &EventRow::split(&long, form).body);
    let names = |form| names(row(form).expect("an item")).into_iter().collect::<Vec<_>>();
    assert_eq!(names(Form::Plain), ["body", "expires_at", "pk", "sk"]);
    assert_eq!(names(Form::Compact), ["body_z", "expires_at", "pk", "sk"]);
}

#[test]
fn an_event_is_read_back_as_it_was_in_either_form() {
    for bytes in [0, 300, 1_500, 4_000, 200_000] {
        for form in [Form::Plain, Form::Compact] {
            let event = filled("acme", "evt-1", bytes, 3);
            let rows = EventRow::split(&event, form);
            let body = rows.body.and_then(BodyRow::into_body);
            assert_eq!(body.is_some(), bytes > 3_000);
            assert!(back(item(&event, form), &event, body).expect("an event") == event, "{bytes} in {form:?}");
        }
    }
}

/// An id as platforms make them.
fn uuid(of: &str) -> String {
    let digits = HEXLOWER.encode(&content_digest(of));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32]].join("-")
}

/// An event of each type and status in the catalogue, as it stands there and with long ids.
fn samples(owed: u16) -> Vec<SealedEvent> {
    let mut events = Vec::new();
    for event_type in EventType::all() {
        for sample in event_type.samples() {
            for ids_are_long in [false, true] {
                let id = |name: &str| if ids_are_long { uuid(name) } else { name.to_owned() };
                let names = ["xero", "invoices", "cash-flow"];
                let in_scope = |text: String, name: &&str| text.replace(&format!("/{name}"), &format!("/{}", id(name)));
                let in_data =
                    |text: String, name: &&str| text.replace(&format!("\"{name}\""), &format!("\"{}\"", id(name)));
                let data = names.iter().fold(sample.data.get().to_owned(), in_data);
                let event = Event {
                    id: id("evt-1").parse().expect("an id"),
                    event_type,
                    account: id("acme").parse().expect("an account"),
                    scope: names.iter().fold(sample.scope.to_string(), in_scope).parse().expect("a scope"),
                    occurred_at: Timestamp::from_unix_ms(1_800_123_456_789),
                    data: RawValue::from_string(data).expect("JSON"),
                    traceparent: None,
                };
                events.push(sealed_as(event, owed));
            }
        }
    }
    events
}

#[test]
fn a_kilobyte_that_is_owed_three_times_is_written_for_one_unit() {
    for event in samples(3) {
        let size = size(&item(&event, Form::Compact));
        assert!(size <= 1_024, "{size}: {}", event.body);
    }
    // Like the events that are measured: half of the body is noise.
    let room = 1_047 - filled("https-3", "evt-00000001", 0, 0).body.len();
    for (owed, units_before, units) in [(1, 2, 1), (3, 2, 1), (10, 2, 2)] {
        let event = filled("https-3", "evt-00000001", room, owed);
        let sizes = [Form::Plain, Form::Compact].map(|form| size(&item(&event, form)));
        assert_eq!(event.body.len(), 1_047);
        assert_eq!(sizes.map(|size| size.div_ceil(1_024)), [units_before, units], "{sizes:?} with {owed}");
    }
}
