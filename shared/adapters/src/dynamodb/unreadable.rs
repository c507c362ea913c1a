//! Tests: what happens to rows that cannot be read, because they are damaged or a newer release wrote them.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::DeliveryState;
use domain::destination::{Destination, Health, HealthState};
use domain::routing::Subscription;
use domain::value::{AccountId, Timestamp};
use ports::{
    AccountPurge, Audit, AwaitedRuns, DeletedDestination, DeletedSubscription, DestinationHealth, Destinations,
    FindDestination, FindSubscriptions, Jobs, ListDeliveries, ListEvents, Order, PortError, Reckoning, SealNote, Span,
    Subscriptions, Waiting,
};
use serde_json::{Value, json};
use testing::{Log, account, destination, record, subscription};

use super::deliveries::DeliveryRow;
use super::destinations::DestinationRow;
use super::fake_table::FakeTable;
use super::keys::{self, Key};
use super::rows::to_item;
use super::subscriptions::SubscriptionRow;
use super::{DynamoStore, Item};

struct World {
    table: FakeTable,
    store: DynamoStore,
    log: Log,
    _logging: tracing::subscriber::DefaultGuard,
    acme: AccountId,
}

fn world() -> World {
    let (table, log) = (FakeTable::default(), Log::default());
    World { store: table.store(), table, _logging: log.start(), log, acme: account("acme") }
}

impl World {
    /// Exactly these rows were logged for the operator, by key and without their content.
    #[track_caller]
    fn check_told(&self, rows: &[&Key]) {
        let lines = self.log.lines();
        let told: Vec<_> = lines.iter().map(|line| (line["row.pk"].as_str(), line["row.sk"].as_str())).collect();
        let expected: Vec<_> = rows.iter().map(|key| (Some(key.pk.as_str()), Some(key.sk.as_str()))).collect();
        assert_eq!(told, expected);
        for line in lines {
            assert_eq!((&line["level"], &line["counted"]), (&json!("ERROR"), &json!("unreadable_row")));
            assert!(!line.to_string().contains("confidential"), "{line}");
        }
    }

    fn destination(&self, n: u8) -> (Destination, Item) {
        let one = destination(&self.acme, n, "https://example.com/");
        let item = to_item(keys::destination(&self.acme, &one.id), &DestinationRow::from(&one)).expect("an item");
        (one, item)
    }

    /// Stores the subscription in its buckets, with its settings altered by `change`.
    fn file(&self, one: &Subscription, change: impl Fn(&mut Value)) -> Key {
        let own = keys::subscription(&self.acme, &one.id);
        let row = SubscriptionRow::of(one).expect("a row");
        for key in one.buckets().iter().map(|b| keys::filed_subscription(&self.acme, b, &one.id)).chain([own.clone()]) {
            let mut item = to_item(key, &row).expect("an item");
            let mut settings = serde_json::to_value(&one.settings).expect("JSON");
            change(&mut settings);
            item.insert("settings".into(), AttributeValue::S(settings.to_string()));
            self.table.put(item);
        }
        own
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

#[track_caller]
fn check_names(error: &PortError, key: &Key) {
    assert!(matches!(error, PortError::Permanent { .. }), "{error}");
    let source = std::error::Error::source(error).expect("a source").to_string();
    assert!(source.contains(&key.pk) && source.contains(&key.sk), "{source}");
}

/// A newer release's conditions, types and transitions.
fn unknown() -> [fn(&mut Value); 4] {
    [
        |settings| settings["condition"] = json!({"confidential": [{"cidr": "10.0.0.0/8"}]}),
        |settings| settings["event_types"] = json!(["export.completed", "sync_run.completed", "*"]),
        |settings| settings["transition"] = json!("confidential"),
        |settings| settings["path"] = json!("no path: confidential"),
    ]
}

#[tokio::test]
async fn a_list_leaves_out_a_row_that_cannot_be_read_and_tells_its_key_alone() {
    let world = world();
    let damages: [(&str, AttributeValue); 3] = [
        ("url", text("https://confidential.example/#fragment")),
        ("retry_policy", text("confidential")),
        ("version", text("confidential")),
    ];
    let (mut readable, mut damaged) = (Vec::new(), Vec::new());
    for n in 0..60 {
        let (one, mut item) = world.destination(n);
        match damages.get(usize::from(n % 6)) {
            Some((field, value)) => {
                item.insert((*field).to_owned(), value.clone());
                damaged.push(keys::destination(&world.acme, &one.id));
            }
            None => readable.push(one),
        }
        world.table.put(item);
    }
    // A page is full although rows of it cannot be read, and the list continues after it.
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page =
            world.store.list_destinations(&world.acme, Order::OldestFirst, after.as_ref(), 3).await.expect("a page");
        after = page.last().map(|last| last.id.clone());
        let ended = page.len() < 3;
        found.extend(page);
        if ended {
            break;
        }
    }
    assert_eq!(found, readable);
    world.log.lines();
    world.store.list_destinations(&world.acme, Order::OldestFirst, None, 100).await.expect("a page");
    world.check_told(&damaged.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_health_that_cannot_be_read_counts_as_failing_and_the_next_change_replaces_it() {
    let world = world();
    let version = ("version".to_owned(), AttributeValue::N("9".into()));
    let unknown = AttributeValue::M([("state".to_owned(), text("confidential")), version].into());
    // In rows of their own, and in the row of a destination from an older release.
    for (n, stored) in (1..).zip([unknown.clone(), text("confidential"), AttributeValue::Null(true), unknown]) {
        let (one, mut item) = world.destination(n);
        let mut key = keys::health(&world.acme, &one.id);
        if n == 4 {
            key = keys::destination(&world.acme, &one.id);
            item.insert("health".into(), stored);
        } else {
            let mut row = to_item(key.clone(), &json!({})).expect("an item");
            row.insert("health".into(), stored);
            world.table.put(row);
        }
        world.table.put(item);
        let found = world.store.find_destination(&world.acme, &one.id).await.expect("an answer").expect("one");
        world.check_told(&[&key]);
        assert_eq!(found.with_health(Health::default()), one);
        assert_eq!(found.health.version, if n == 1 || n == 4 { 9 } else { 0 });
        assert!(matches!(found.health.state, HealthState::Failing { half_open: true, .. }), "{:?}", found.health);
        let listed = world.store.list_destinations(&world.acme, Order::OldestFirst, None, 100).await.expect("a list");
        assert_eq!(listed.last(), Some(&found));
        let well = found.health.succeeded(Timestamp::from_unix_ms(7), false).expect("a change");
        assert!(world.store.update_health(&found, &well).await.expect("an answer"));
        world.log.lines();
        let found = world.store.find_destination(&world.acme, &one.id).await.expect("an answer");
        assert_eq!(found, Some(one.with_health(well)));
    }
}

#[tokio::test]
async fn a_row_that_was_asked_for_fails_by_its_key() {
    let world = world();
    let (one, mut item) = world.destination(1);
    item.insert("url".into(), text("no URL"));
    world.table.put(item);
    let key = keys::destination(&world.acme, &one.id);
    check_names(&world.store.find_destination(&world.acme, &one.id).await.expect_err("unreadable"), &key);
    let subscribed = subscription(&one, 1, &["*"], "*", None);
    for (n, change) in (1..).zip(unknown()) {
        let subscribed = Subscription { id: subscription(&one, n, &["*"], "*", None).id, ..subscribed.clone() };
        let key = world.file(&subscribed, change);
        let found = world.store.find_subscription(&world.acme, &subscribed.id).await;
        check_names(&found.expect_err("unreadable"), &key);
    }
}

#[tokio::test]
async fn what_a_newer_release_added_to_a_row_is_ignored() {
    let world = world();
    let (one, mut item) = world.destination(1);
    item.insert("a_newer_setting".into(), AttributeValue::Bool(true));
    world.table.put(item);
    assert_eq!(world.store.find_destination(&world.acme, &one.id).await.expect("an answer"), Some(one.clone()));
    let mut subscribed = subscription(&one, 1, &["sync_run.completed", "sync_run.missed"], "connection/a", Some("/x"));
    subscribed.settings.condition = Some(serde_json::from_value(json!({"a": [0.1, {"exists": true}]})).expect("one"));
    subscribed.settings.transition = Some(serde_json::from_value(json!("broke")).expect("one"));
    subscribed.settings.grace = 77.try_into().expect("a grace");
    subscribed.settings.enabled = false;
    world.file(&subscribed, |settings| settings["a_newer_setting"] = json!({"of": ["any", "kind"]}));
    let found = world.store.find_subscription(&world.acme, &subscribed.id).await.expect("an answer");
    assert_eq!(found, Some(subscribed.clone()));
    let found =
        world.store.find_subscriptions(&world.acme, &subscribed.buckets()[0], None, 10).await.expect("an answer");
    assert_eq!(found, [subscribed]);
    world.check_told(&[]);
}

#[tokio::test]
async fn a_subscription_that_cannot_be_read_keeps_no_event_from_the_others() {
    let world = world();
    let to = world.destination(1).0;
    let subscribed = |n| subscription(&to, n, &["sync_run.completed"], "*", None);
    let mut lost = Vec::new();
    for (n, change) in (1..).zip(unknown()) {
        world.file(&subscribed(n), change);
        lost.push(keys::filed_subscription(&world.acme, &subscribed(n).buckets()[0], &subscribed(n).id));
    }
    world.file(&subscribed(9), |_| ());
    let bucket = &subscribed(9).buckets()[0];
    let found = world.store.find_subscriptions(&world.acme, bucket, None, 10).await.expect("an answer");
    assert_eq!(found, [subscribed(9)]);
    world.check_told(&lost.iter().collect::<Vec<_>>());
    let listed = world.store.list_subscriptions(&world.acme, Order::OldestFirst, None, 1).await.expect("a list");
    assert_eq!(listed, [subscribed(9)]);
}

#[tokio::test]
async fn what_cannot_be_read_can_be_deleted_with_all_it_leads_to() {
    let world = world();
    let (one, mut item) = world.destination(1);
    item.insert("url".into(), text("no URL"));
    world.table.put(item);
    world.table.put(to_item(keys::destination_name(&world.acme, one.settings.name.as_str()), &json!({})).expect("one"));
    for change in unknown() {
        let subscribed = subscription(&one, 1, &["sync_run.completed", "sync_run.missed"], "connection/a", None);
        world.file(&subscribed, change);
        let name = keys::subscription_name(&world.acme, subscribed.settings.name.as_str());
        world.table.put(to_item(name, &json!({})).expect("one"));
        assert!(world.table.keys().len() > 4);
        assert_eq!(
            world.store.delete_subscription(&world.acme, &subscribed.id, None).await.expect("an answer"),
            DeletedSubscription::Deleted
        );
        assert_eq!(world.table.keys().len(), 2, "{:?}", world.table.keys());
        assert_eq!(
            world.store.delete_subscription(&world.acme, &subscribed.id, None).await.expect("an answer"),
            DeletedSubscription::NotFound
        );
    }
    let deleted = world.store.delete_destination(&world.acme, &one.id, None).await.expect("an answer");
    assert_eq!((deleted, world.table.keys()), (DeletedDestination::Deleted, vec![]));
    let again = world.store.delete_destination(&world.acme, &one.id, None).await.expect("an answer");
    assert_eq!(again, DeletedDestination::NotFound);
}

#[tokio::test]
async fn a_purge_deletes_what_cannot_be_read_with_all_it_leads_to() {
    let world = world();
    let (one, mut item) = world.destination(1);
    item.insert("url".into(), text("no URL"));
    world.table.put(item);
    for (n, change) in (1..).zip(unknown()) {
        world.file(&subscription(&one, n, &["sync_run.completed", "sync_run.missed"], "connection/a", None), change);
    }
    let damaged = |mut item: Item| {
        item.insert("attempts".into(), text("no list"));
        world.table.put(item);
    };
    // One entry of what an event owes cannot be read. The deliveries of a deleted destination are found through
    // another.
    let (here, gone) = (record(&one, "evt-1", 1, DeliveryState::Parked), world.destination(2).0);
    let gone = record(&gone, "evt-1", 1, DeliveryState::Delivered);
    for record in [&here, &gone] {
        let key = keys::delivery(&world.acme, &record.delivery.id);
        damaged(to_item(key, &DeliveryRow::from(record)).expect("an item"));
    }
    let event = json!({
        "gsi1pk": keys::listed_events_pk(&world.acme), "owed": [{"id": "no id"}, 7, {"id": gone.delivery.id}], "scope": 7
    });
    damaged(to_item(keys::event(&world.acme, &"evt-1".parse().expect("an id")), &event).expect("an item"));
    damaged(to_item(Key { pk: keys::account_pk(&world.acme), sk: "RUNS#x".into() }, &json!({})).expect("an item"));
    // Another account's rows stay.
    let other = destination(&account("other"), 1, "https://example.com/");
    let key = keys::destination(&other.account, &other.id);
    world.table.put(to_item(key.clone(), &DestinationRow::from(&other)).expect("an item"));
    // Health and turns, also those of the deleted destination, are in partitions of their own.
    for id in [&one.id, &gone.delivery.destination] {
        for key in [keys::health(&world.acme, id), keys::pace(&world.acme, id)] {
            world.table.put(to_item(key, &json!({})).expect("an item"));
        }
    }

    assert_eq!(world.store.close_destinations(&world.acme).await.expect("an answer"), 0);
    for _ in 0..20 {
        if !world.store.purge_account(&world.acme, 2).await.expect("purged").more {
            break;
        }
    }
    assert_eq!(world.table.keys(), [format!("{} {}", key.pk, key.sk)]);
}

#[tokio::test]
async fn deliveries_and_events_are_listed_and_added_up_beside_those_that_cannot_be_read() {
    let world = world();
    let to = world.destination(1).0;
    let good = record(&to, "evt-1", 1, DeliveryState::Delivered);
    let bad = record(&to, "evt-2", 1, DeliveryState::Delivered);
    for (record, state) in [(&good, "delivered"), (&bad, "confidential")] {
        let key = keys::delivery(&world.acme, &record.delivery.id);
        let mut item = to_item(key, &DeliveryRow::from(record)).expect("an item");
        item.insert("state".into(), text(state));
        world.table.put(item);
    }
    let key = keys::delivery(&world.acme, &bad.delivery.id);
    let since = Timestamp::from_unix_ms(0);
    let always = Span { since, until: Timestamp::from_unix_ms(u64::MAX) };
    let listed = world.store.list_deliveries(&world.acme, &to.id, always, Order::NewestFirst, None, 9).await;
    let listed = listed.expect("a list");
    assert_eq!(listed.first(), Some(&good));
    assert_eq!(listed.len(), 1);
    world.check_told(&[&key]);
    let ids = [good.delivery.id.clone(), bad.delivery.id.clone()];
    let standings = world.store.find_standings(&world.acme, &ids).await.expect("an answer");
    assert_eq!(standings.iter().map(|one| &one.id).collect::<Vec<_>>(), [&good.delivery.id]);
    world.check_told(&[&key]);
    let missing = (3..6).map(|n| record(&to, &format!("evt-{n}"), 1, DeliveryState::Delivered).delivery.id);
    let ids: Vec<_> = ids.into_iter().chain(missing).collect();
    let standings = world.store.find_standings_in_ranges(&world.acme, &ids).await.expect("an answer");
    assert_eq!(standings.iter().map(|one| &one.id).collect::<Vec<_>>(), [&good.delivery.id]);
    world.check_told(&[&key]);

    for (id, event_type) in [("evt-1", "sync_run.completed"), ("evt-2", "confidential.happened")] {
        let id = id.parse().expect("an id");
        let place = ports::EventPlace { occurred_at: since, id };
        let row = json!({
            "gsi1pk": keys::listed_events_pk(&world.acme), "gsi1sk": keys::listed_event_sk(&place), "event_type": event_type,
            "scope": "*", "sealed_at": since, "owed_count": 1, "expires_at": 9, "owed": [{"id": good.delivery.id}]
        });
        world.table.put(to_item(keys::event(&world.acme, &place.id), &row).expect("an item"));
    }
    let span = Span { since, until: Timestamp::from_unix_ms(1) };
    let events = world.store.list_events(&world.acme, span, Order::NewestFirst, None, 9).await.expect("a list");
    assert_eq!(events.iter().map(|one| one.place.id.as_str()).collect::<Vec<_>>(), ["evt-1"]);
    world.check_told(&[&keys::event(&world.acme, &"evt-2".parse().expect("an id"))]);
    // What an event owes is found although its type is unknown.
    let asked = ["evt-1", "evt-2"].map(|id| id.parse().expect("an id"));
    assert_eq!(world.store.find_owed(&world.acme, &asked).await.expect("an answer").len(), 2);
    // If that cannot be read, nothing may look as if the event owed nothing.
    let key = keys::event(&world.acme, &asked[1]);
    world.table.put(to_item(key.clone(), &json!({"owed": "confidential"})).expect("an item"));
    check_names(&world.store.find_owed(&world.acme, &asked).await.expect_err("unreadable"), &key);
}

#[tokio::test]
async fn what_waits_is_known_by_its_keys() {
    let world = world();
    let (to, at) = (world.destination(1).0, Timestamp::from_unix_ms(1_000));
    let waits = |key: Key, pk: String, sk: String| {
        // Nothing of the row itself can be read.
        let row = json!({"gsi2pk": pk, "gsi2sk": sk, "id": 7, "state": 7, "after": "no place", "account": 7});
        world.table.put(to_item(key, &row).expect("an item"));
    };
    let stray = Key { pk: "confused".into(), sk: "0".into() };
    let delivery = record(&to, "evt-1", 1, DeliveryState::Parked).delivery.id;
    let shard = keys::shard(&delivery);
    waits(keys::delivery(&world.acme, &delivery), keys::due_pk(shard), keys::look_at(at));
    waits(stray.clone(), keys::due_pk(shard), keys::look_at(at));
    let due = world.store.due_deliveries(shard, at, None, 1).await.expect("a list");
    assert_eq!(due.iter().map(|one| &one.id).collect::<Vec<_>>(), [&delivery]);
    world.check_told(&[&stray]);

    // The second one was stored by an older release.
    let former = world.destination(2).0;
    waits(keys::health(&world.acme, &to.id), keys::watch_pk(), keys::look_at(at));
    waits(keys::destination(&world.acme, &former.id), keys::watch_pk(), keys::look_at(at));
    waits(Key { sk: "1".into(), ..stray.clone() }, keys::watch_pk(), keys::look_at(at));
    let watched = world.store.watched_destinations(at, None, 9).await.expect("a list");
    let mut watched: Vec<_> = watched.into_iter().map(|one| (one.account, one.id)).collect();
    watched.sort();
    assert_eq!(watched, [to, former].map(|one| (world.acme.clone(), one.id)));

    // An awaited run of a type that this release does not know.
    let run = Key { pk: keys::account_pk(&world.acme), sk: "AWAITED#export.completed#*".into() };
    waits(run.clone(), keys::awaited_pk(0), keys::look_at(at));
    world.log.lines();
    assert_eq!(world.store.overdue_runs(0, at, None, 9).await.expect("a list"), []);
    world.check_told(&[&run]);

    let job = domain::value::JobId::from_entropy([1; 10]);
    waits(keys::pending_job(at, &job), String::new(), String::new());
    waits(Key { pk: keys::pending_jobs_pk(), sk: "confused".into() }, String::new(), String::new());
    assert_eq!(world.store.pending_jobs(at, 9).await.expect("a list"), [job]);

    let stretch = |n| Span { since: Timestamp::from_unix_ms(n), until: Timestamp::from_unix_ms(n + 1) };
    let note = SealNote { sealed: stretch(7), account: world.acme.clone(), occurred: stretch(6) };
    waits(keys::seal_note(&note), String::new(), String::new());
    waits(Key { pk: keys::seal_notes_pk(note.shard()), sk: "00confused".into() }, String::new(), String::new());
    let ended = Span { since: Timestamp::from_unix_ms(0), ..stretch(7) };
    assert_eq!(world.store.seal_notes(note.shard(), ended, None, 9).await.expect("a list"), [note.into()]);
}
