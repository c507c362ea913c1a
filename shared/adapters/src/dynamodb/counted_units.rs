//! Tests: reads for a request are counted, and cost no more than the code that reads lists assumes.

use std::time::Duration;

use domain::attempt::{Attempt, Outcome};
use domain::delivery::{Attempts, Delivery, DeliveryRecord, DeliveryState, LeftOut};
use domain::event::{Event, EventType, Scope, SeenScope, envelope};
use domain::value::{AccountId, DestinationId, EventId, Span, SubscriptionId, Timestamp};
use ports::{
    Deliveries, Destinations, Events, FindDestination, FindSubscriptions, ListDeliveries, ListEvents, Order, Reckoning,
    SealedEvent, SeenScopes, Subscriptions, read_units,
};
use serde_json::json;
use testing::{account, destination, event_text, record, subscription};

use super::destinations::DestinationRow;
use super::fake_table::FakeTable;
use super::rows::to_item;
use super::subscriptions::SubscriptionRow;
use super::{DynamoStore, keys};

/// An event with a body of 250,000 bytes that owes this many deliveries.
async fn seal(store: &DynamoStore, id: &str, owed: u16) -> SealedEvent {
    let (acme, at) = (account("acme"), Timestamp::from_unix_ms(1_795_426_200_000));
    let event = Event::parse(&event_text(&acme, id), at).map_err(|rejection| rejection.detail).expect("an event");
    let body = format!("{{\"data\":\"{}\"}}", "x".repeat(250_000));
    let to = |n: u16| DestinationId::from_entropy([0, 0, 0, 0, 0, 0, 0, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]]);
    let sealed = SealedEvent {
        account: acme,
        id: event.id.clone(),
        event_type: event.event_type,
        scope: event.scope.clone(),
        occurred_at: at,
        sealed_at: at,
        digest: envelope::content_digest(&body),
        body,
        owed: (0..owed).map(|n| Delivery::of_event(&event, to(n), None)).collect(),
        traceparent: None,
        unmatched: None,
        expires_at: at,
    };
    store.seal_event(&sealed).await.expect("sealed");
    sealed
}

/// The cost of these reads.
async fn units<T>(reads: impl Future<Output = T>) -> f64 {
    read_units::counted(async {
        reads.await;
        read_units::spent()
    })
    .await
}

#[tokio::test]
async fn an_event_is_read_for_a_unit_and_a_row_of_a_wide_one_for_less_than_a_hundred() {
    let store = FakeTable::default().store();
    let acme = account("acme");
    let mut ids: Vec<EventId> = Vec::new();
    for n in 0..40 {
        ids.push(seal(&store, &format!("evt-{n}"), 5).await.id);
    }
    assert_eq!(units(async { store.find_first_owed(&acme, &ids).await.expect("an answer").len() }).await, 40.0);
    let span = Span { since: Timestamp::from_unix_ms(0), until: Timestamp::from_unix_ms(u64::MAX / 2) };
    let listed =
        units(async { store.list_events(&acme, span, Order::NewestFirst, None, 40).await.expect("a list") }).await;
    assert!(listed > 1.0, "the index is counted: {listed}");

    let wide = seal(&store, "wide", 20_000).await.id;
    let first = units(async { store.find_first_owed(&acme, std::slice::from_ref(&wide)).await.expect("an answer") });
    assert_eq!(first.await, 1.0);
    let mut nth = 1;
    while let Some(row) = store.find_further_owed(&acme, &wide, nth).await.expect("an answer") {
        let spent = units(async { store.find_further_owed(&acme, &wide, nth).await.expect("an answer") }).await;
        assert!(spent <= 100.0, "row {nth} of {}: {spent}", row.rows);
        nth += 1;
    }
    assert!(nth > 4);
    let shown = units(async { store.find_event_with(&acme, &wide, 100).await.expect("an answer") }).await;
    assert!(shown <= 170.0, "{shown}");
    let body = units(async { store.find_body(&acme, &wide).await.expect("an answer") }).await;
    assert!((62.0..=66.0).contains(&body), "{body}");
}

#[tokio::test]
async fn what_a_very_wide_event_owes_is_read_as_far_as_a_request_may() {
    let store = FakeTable::default().store();
    let (acme, wide) = (account("acme"), seal(&store, "wide", 60_000).await.id);
    let read = async || store.find_event_with(&acme, &wide, usize::MAX).await.expect("an answer").expect("an event");
    let spent = units(async {
        let (event, count) = read().await;
        assert!(count == 60_000 && (5_000..60_000).contains(&event.owed.len()), "{}", event.owed.len());
    });
    let spent = spent.await;
    assert!(spent > 300.0 && spent <= 500.0, "{spent}");
    assert_eq!(read().await.0.owed.len(), 60_000, "outside of a request everything is read");
}

/// The same number of deliveries, each with 30 attempts and very long answers of the receiver.
async fn loud(store: &DynamoStore, acme: &AccountId, deliveries: usize) -> Vec<DeliveryRecord> {
    let target = destination(acme, 1, "https://example.com/hooks");
    let mut rows = Vec::new();
    for n in 0..deliveries {
        let mut row = record(&target, &format!("evt-{n}"), 0, DeliveryState::Exhausted);
        let attempts = (1..=30).map(|number| {
            let mut outcome = Outcome::from_answer(503, None, "\u{20ac}".repeat(22_000));
            outcome.shorten();
            Attempt { number, at: Timestamp::from_unix_ms(1), took: Duration::from_secs(15), outcome, probe: false }
        });
        row.attempts = Attempts::stored(attempts.collect(), LeftOut::default());
        store.create_delivery(&row).await.expect("recorded");
        rows.push(row);
    }
    rows
}

#[tokio::test]
async fn a_delivery_is_read_for_at_most_16_units_and_its_state_for_8() {
    let store = FakeTable::default().store();
    let acme = account("acme");
    let rows = loud(&store, &acme, 20).await;
    let ids: Vec<_> = rows.iter().map(|row| row.delivery.id.clone()).collect();
    let states = units(async { store.find_standings(&acme, &ids).await.expect("an answer") }).await;
    assert!((20.0..=160.0).contains(&states), "{states}");
    let of_accounts: Vec<_> = ids.iter().map(|id| (acme.clone(), id.clone())).collect();
    let whole = units(async { store.find_deliveries(&of_accounts).await.expect("an answer") }).await;
    assert!(whole > states && whole <= 320.0, "{whole}");
    let one = units(async { store.find_delivery(&acme, &ids[0]).await.expect("an answer") }).await;
    assert!((2.0..=16.0).contains(&one), "{one}");
    let to = &rows[0].delivery.destination;
    let always = Span { since: Timestamp::from_unix_ms(0), until: Timestamp::from_unix_ms(u64::MAX) };
    let listed =
        units(async { store.list_deliveries(&acme, to, always, Order::NewestFirst, None, 20).await.expect("a list") })
            .await;
    assert!((20.0..=160.0).contains(&listed), "{listed}");
}

#[tokio::test]
async fn deliveries_in_a_range_are_read_for_a_twentieth_of_a_unit_each() {
    let store = FakeTable::default().store();
    let (acme, target) = (account("acme"), destination(&account("acme"), 1, "https://example.com/hooks"));
    let mut ids = Vec::new();
    for n in 0..100 {
        let row = record(&target, &format!("evt-{n}"), 1, DeliveryState::Delivered);
        store.create_delivery(&row).await.expect("recorded");
        ids.push(row.delivery.id);
    }
    let alone = units(async { store.find_standings(&acme, &ids).await.expect("an answer") }).await;
    let in_ranges = units(async { store.find_standings_in_ranges(&acme, &ids).await.expect("an answer") }).await;
    // The fake table counts the JSON of a row, which is longer than the row.
    assert!(alone == 50.0 && in_ranges <= 10.0, "{alone} {in_ranges}");
    // Of a few among very many, at most twice as many rows as were asked for are read as a range.
    let few: Vec<_> = ids.iter().step_by(20).cloned().collect();
    let of_few = units(async { store.find_standings_in_ranges(&acme, &few).await.expect("an answer") }).await;
    assert!(of_few <= 4.0, "{of_few}");
}

#[tokio::test]
async fn what_an_event_owes_is_read_for_half_a_unit_and_a_row_that_is_missing_at_first_is_found() {
    let table = FakeTable::default();
    let (store, acme) = (table.store(), account("acme"));
    let mut ids: Vec<EventId> = Vec::new();
    for n in 0..10 {
        ids.push(seal(&store, &format!("evt-{n}"), 5).await.id);
    }
    let cost = units(async { assert_eq!(store.find_owed(&acme, &ids).await.expect("an answer").len(), 10) }).await;
    assert_eq!(cost, 5.0);
    seal(&store, "wide", 13_000).await;
    table.lag();
    let asked: Vec<EventId> = ids.into_iter().chain(["wide".parse().expect("an id")]).collect();
    let owed = store.find_owed(&acme, &asked).await.expect("an answer");
    assert_eq!(owed.into_iter().map(|(_, owed)| owed.len()).sum::<usize>(), 50 + 13_000);
}

/// The longest possible name, in characters of four bytes.
fn long_name(n: usize) -> String {
    format!("{n:03}{}", "\u{1f980}".repeat(125))
}

#[tokio::test]
async fn a_hundred_subscriptions_are_read_for_125_units_however_long_they_are() {
    let (table, acme) = (FakeTable::default(), account("acme"));
    let types: Vec<_> = EventType::all().map(String::from).collect();
    let types: Vec<_> = types.iter().take(20).map(String::as_str).collect();
    let place = format!("connection/{}/endpoint/{}", "c".repeat(128), "e".repeat(128));
    let path = format!("/{}", "p".repeat(255));
    let one = subscription(&destination(&acme, 1, "https://example.com/"), 1, &types, &place, Some(&path));
    for n in 0..100 {
        let mut one = one.clone();
        one.id = SubscriptionId::from_entropy([n; 10]);
        one.settings.name = long_name(n.into()).try_into().expect("a name");
        let text = "x".repeat(2_048 - r#"{"a":[""]}"#.len());
        one.settings.condition = Some(serde_json::from_value(json!({"a": [text]})).expect("a condition"));
        let row = SubscriptionRow::of(&one).expect("a row");
        table.put(to_item(keys::subscription(&acme, &one.id), &row).expect("an item"));
        for bucket in one.buckets() {
            table.put(to_item(keys::filed_subscription(&acme, &bucket, &one.id), &row).expect("an item"));
        }
    }
    let (store, bucket) = (table.store(), &one.buckets()[0]);
    let listed =
        units(async { store.list_subscriptions(&acme, Order::OldestFirst, None, 100).await.expect("a list") }).await;
    assert!((50.0..=125.0).contains(&listed), "{listed}");
    let filed = units(async { store.find_subscriptions(&acme, bucket, None, 100).await.expect("a list") }).await;
    assert!((25.0..=70.0).contains(&filed), "{filed}");
    let deleted = units(async { store.delete_subscription(&acme, &one.id, Some(1)).await.expect("an answer") }).await;
    assert!(deleted > 0.0 && deleted <= 2.0, "{deleted}");
}

#[tokio::test]
async fn destinations_are_read_for_five_units_each_however_long_they_are() {
    let (table, acme) = (FakeTable::default(), account("acme"));
    let url = format!("https://example.com/{}", "p".repeat(2_000));
    let mut one = destination(&acme, 1, &url);
    let headers: serde_json::Map<_, _> =
        (0..10).map(|n| (format!("x-{n}{}", "n".repeat(60)), json!("v".repeat(1_024)))).collect();
    one.settings.headers = serde_json::from_value(headers.into()).expect("headers");
    one.settings.description = "\u{1f980}".repeat(1_024).try_into().expect("a description");
    one.secrets = vec![one.secrets[0].clone(); 3];
    for n in 0..35 {
        one.id = DestinationId::from_entropy([n; 10]);
        one.settings.name = long_name(n.into()).try_into().expect("a name");
        table.put(to_item(keys::destination(&acme, &one.id), &DestinationRow::from(&one)).expect("an item"));
    }
    let store = table.store();
    let compared = units(async { store.list_settings(&acme, None, 25).await.expect("a list") }).await;
    assert!((50.0..=125.0).contains(&compared), "{compared}");
    let listed =
        units(async { store.list_destinations(&acme, Order::OldestFirst, None, 35).await.expect("a list") }).await;
    assert!(listed > compared && listed <= 190.0, "{listed}");
    let found = units(async { store.find_destination(&acme, &one.id).await.expect("an answer") }).await;
    assert!(found > 0.0 && found <= 6.0, "{found}");
    let searched = units(async { store.find_searched(&acme, &one.id).await.expect("an answer") }).await;
    assert!(searched > 0.0 && searched <= 5.0, "{searched}");
}

#[tokio::test]
async fn five_hundred_scopes_are_read_for_190_units_however_long_they_are() {
    let (store, acme, now) =
        (FakeTable::default().store(), account("acme"), Timestamp::from_unix_ms(1_795_426_200_000));
    let text = event_text(&acme, "evt-1").replace("Xero", &"\u{1f980}".repeat(128));
    let event = Event::parse(&text, now).map_err(|rejection| rejection.detail).expect("an event");
    for n in 0..500 {
        let place = format!("connection/{}/endpoint/{n:03}{}", "c".repeat(128), "e".repeat(125));
        let scope = place.parse().expect("a scope");
        let seen = SeenScope::of_event(&Event { scope, ..event.clone() }, now).expect("a place");
        store.note_scope(&seen).await.expect("noted");
    }
    let listed = units(async { store.list_scopes(&acme, &Scope::Everything, None, 500).await.expect("a list") }).await;
    assert!((50.0..=190.0).contains(&listed), "{listed}");
}
