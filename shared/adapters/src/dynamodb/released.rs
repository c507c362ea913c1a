//! Tests: what every release has stored and sent is read, from `tests/recorded/releases`.
//!
//! Each row is put into a table of its own, an event together with its further rows, and is then asked for as the
//! functions ask for it. A row that a list would leave out counts as not read.
//!
//! Not covered are rows that are never read but only changed by conditional updates: paces, budgets, places of tests,
//! and the set of an account's pending jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64;
use domain::delivery::DeliveryMessage;
use domain::event::{Event, Scope};
use domain::routing::Subscription;
use domain::value::{Label, Timestamp};
use ports::{
    Accounts, ApiKeys, Audit, AwaitedRuns, Deliveries, Destinations, Events, FindDestination, FindJob, FindListeners,
    FindRollUp, FindSubscriptions, Jobs, Order, PortResult, Rejections, RollUps, SeenScopes, Sessions, Span, StartJob,
    Subscriptions, Transitions, UnregisteredAccounts,
};
use serde_json::Value;
use testing::Log;

use super::fake_table::FakeTable;
use super::subscriptions::SubscriptionRow;
use super::{DynamoStore, Item, keys, rows};

/// What of a release cannot be read, and why that is right.
///
/// The first release was the only one of its kind: roles, settings, versions and names did not exist yet, and its table
/// had no indexes. It cannot be upgraded in place (docs/upgrading.md), so nobody reads its configuration.
const NOT_READ: [(&str, &[&str]); 1] = [("0.1.0", &["A ACCOUNT", "A KEY", "A DST", "A SUB", "B SUB"])];
const NEVER_READ: [&str; 4] = ["PACE PACE", "A BUDGET", "A TESTING", "A JOBS"];

#[tokio::test]
async fn rows_of_every_release_are_read() {
    for (version, directory) in releases() {
        let rows = read_json(&directory.join("rows.json"));
        let rows: Vec<Item> = rows.as_array().expect("a list").iter().map(item).collect();
        let (mut kinds, mut not_read) = (BTreeSet::new(), BTreeMap::new());
        for row in &rows {
            let (pk, sk) = keys_of(row);
            let kind = kind(&pk, &sk);
            if NEVER_READ.contains(&kind.as_str()) {
                continue;
            }
            kinds.insert(kind.clone());
            let log = Log::default();
            let logging = log.start();
            let (table, store) = of(row, &rows);
            let found = find(&store, &table, &kind, row).await;
            drop(logging);
            let left_out = log.lines().iter().any(|line| line["counted"] == "unreadable_row");
            if left_out || found != Ok(true) {
                not_read.entry(kind).or_insert_with(|| format!("{pk} {sk}: {found:?}"));
            }
        }
        let expected = NOT_READ.iter().find(|(of, _)| *of == version).map_or(&[][..], |(_, kinds)| kinds);
        let expected: BTreeSet<_> = expected.iter().map(|kind| (*kind).to_owned()).collect();
        assert_eq!(not_read.keys().cloned().collect::<BTreeSet<_>>(), expected, "{version}: {not_read:#?}");
        assert!(kinds.len() >= 8, "{version} has only {kinds:?}");
    }
}

#[test]
fn messages_of_every_release_are_read() {
    for (version, directory) in releases() {
        let messages = read_json(&directory.join("messages.json"));
        let messages = messages.as_array().expect("a list");
        assert!(!messages.is_empty(), "{version} has no messages");
        for message in messages {
            let (queue, body) = (&message[0], message[1].as_str().expect("a text"));
            let error = match queue.as_str() {
                Some("deliveries") => {
                    serde_json::from_str::<DeliveryMessage>(body).err().map(|error| error.to_string())
                }
                _ => Event::parse(body, sent_at(body)).err().map(|rejection| format!("{rejection:?}")),
            };
            assert_eq!(error, None, "{version}: {body}");
        }
    }
}

fn always() -> Span {
    Span { since: Timestamp::from_unix_ms(0), until: Timestamp::from_unix_ms(9_999_999_999_999) }
}

/// The directory of each release.
fn releases() -> Vec<(String, PathBuf)> {
    let all = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/recorded/releases");
    let directories = std::fs::read_dir(all).expect("recorded releases").map(|entry| entry.expect("an entry"));
    let mut releases: Vec<_> =
        directories.map(|entry| (entry.file_name().into_string().expect("a version"), entry.path())).collect();
    releases.sort();
    assert!(releases.len() >= 2, "{releases:?}");
    releases
}

fn read_json(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// An event's own time. An event that is received is not older than a day.
fn sent_at(body: &str) -> Timestamp {
    let event: Value = serde_json::from_str(body).expect("JSON");
    serde_json::from_value(event["occurred_at"].clone()).expect("a time")
}

/// The first part of both keys that is no id.
fn kind(pk: &str, sk: &str) -> String {
    let first = |key: &str| key.split('#').next().unwrap_or_default().to_owned();
    let second = Some(first(sk)).filter(|part| part.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
    format!("{} {}", first(pk), second.unwrap_or_default())
}

fn keys_of(item: &Item) -> (String, String) {
    let key = rows::key_of(item);
    (key.pk, key.sk)
}

fn item(row: &Value) -> Item {
    let attributes = row[2].as_object().expect("attributes").iter();
    let mut item: Item = attributes.map(|(name, value)| (name.clone(), attribute(value))).collect();
    for (name, key) in [("pk", &row[0]), ("sk", &row[1])] {
        item.insert(name.to_owned(), attribute(key));
    }
    item
}

/// A value as the recording has it: in DynamoDB's JSON, with plain texts for strings.
fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Null => AttributeValue::Null(true),
        Value::Array(list) => AttributeValue::L(list.iter().map(attribute).collect()),
        Value::Object(object) => match object.iter().next() {
            Some((name, Value::String(digits))) if name == "N" => AttributeValue::N(digits.clone()),
            Some((name, Value::String(bytes))) if name == "B" => AttributeValue::B(
                aws_sdk_dynamodb::primitives::Blob::new(BASE64.decode(bytes.as_bytes()).expect("bytes")),
            ),
            Some((name, Value::Object(map))) if name == "M" => {
                AttributeValue::M(map.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
            }
            other => panic!("not an attribute: {other:?}"),
        },
        Value::Number(number) => panic!("not an attribute: {number}"),
    }
}

/// A table with the row, and with what is read together with it.
fn of(row: &Item, all: &[Item]) -> (FakeTable, DynamoStore) {
    let table = FakeTable::default();
    let (pk, _) = keys_of(row);
    let is_event = pk.starts_with("E#");
    for other in all.iter().filter(|other| is_event && keys_of(other).0 == pk).chain([row]) {
        table.put(other.clone());
    }
    let store = table.store();
    (table, store)
}

/// Whether the row is found. `Err` has the reason, in which a row that cannot be read is named.
async fn find(store: &DynamoStore, table: &FakeTable, kind: &str, row: &Item) -> Result<bool, String> {
    let (pk, sk) = keys_of(row);
    let found = match kind {
        "B SUB" => return filed(store, row, &pk).await,
        "H HEALTH" => return health(store, table, &pk).await,
        _ if kind.starts_with("A ") => of_account(store, kind, &pk, &sk).await,
        _ => of_no_account(store, kind, &pk, &sk).await,
    };
    found.map_err(|error| format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string)))
}

/// The part of a key with this number.
fn part<T: FromStr<Err: Debug>>(key: &str, nth: usize) -> T {
    key.split('#').nth(nth).unwrap_or_default().parse().expect("a part of a key")
}

/// A key from the part with this number on.
fn rest(key: &str, nth: usize) -> &str {
    key.splitn(nth + 1, '#').nth(nth).unwrap_or_default()
}

/// What an account has configured, and what is noted about it.
async fn of_account(store: &DynamoStore, kind: &str, pk: &str, sk: &str) -> PortResult<bool> {
    let account = part(pk, 1);
    Ok(match kind {
        "A ACCOUNT" => store.read_account(&account).await?.is_some(),
        "A KEY" => store.find_key(&account, &part(sk, 1)).await?.is_some(),
        "A SES" => store.find_session(&account, &part(sk, 1)).await?.is_some(),
        "A DST" => store.find_destination(&account, &part(sk, 1)).await?.is_some(),
        "A SUB" => store.find_subscription(&account, &part(sk, 1)).await?.is_some(),
        "A NAME" => {
            let name = Label::try_from(rest(sk, 2).to_owned()).expect("a name");
            match sk.starts_with("NAME#DST#") {
                true => store.find_destination_named(&account, &name).await?.is_some(),
                false => store.find_subscription_named(&account, &name).await?.is_some(),
            }
        }
        "A RUNS" => {
            let place = rest(sk, 2).parse().expect("a place");
            store.find_runs(&account, part(sk, 1), &place).await?.version > 0
        }
        "A AWAITED" => {
            let place = keys::awaited_place(pk, sk).expect("a place");
            store.find_awaited_run(&place).await?.is_some()
        }
        "A ROLL_UP" => store.find_roll_up(&account, &part(sk, 1)).await?.is_some(),
        "A SCOPE" => store.list_scopes(&account, &Scope::Everything, None, 9).await?.len() == 1,
        "A JOB" => store.list_jobs(&account, Order::OldestFirst, None, 9).await?.len() == 1,
        other => panic!("a kind of row that this test does not read: {other}"),
    })
}

/// Everything else.
async fn of_no_account(store: &DynamoStore, kind: &str, pk: &str, sk: &str) -> PortResult<bool> {
    Ok(match kind {
        "ACCOUNTS ACCOUNT" => store.list_accounts(None, 9).await?.len() == 1,
        "JOB JOB" => store.find_job(&part(pk, 1)).await?.is_some(),
        "JOBS " => store.pending_jobs(always().until, 9).await?.len() == 1,
        "E EVENT" | "E OWED" | "E BODY" | "E SENDING" => {
            store.find_event(&part(pk, 1), &rest(pk, 2).parse().expect("an id")).await?.is_some()
        }
        "D DLV" => {
            let (account, id) = keys::delivery_of(pk, sk).expect("a delivery");
            store.find_delivery(&account, &id).await?.is_some()
        }
        "AUDIT SHARDS" => !store.audited_until().await?.is_empty(),
        "ROLL_UPS SHARDS" => !store.rolled_up_to().await?.is_empty(),
        "SEALED " => store.seal_notes(part(pk, 1), always(), None, 9).await?.len() == 1,
        "REJECTED " => store.find_rejection(&sk.parse().expect("an id")).await?.is_some(),
        "REJECTED_BODY BODY" => store.find_rejected_body(&part(pk, 1)).await?.is_some(),
        "UNREGISTERED ACCOUNT" => store.list_unregistered(None, 9).await?.len() == 1,
        "DATA_KEY DATA_KEY" => store.find_data_key(&part::<String>(pk, 1)).await?.is_some(),
        "DATA_KEY CURRENT" => store.current_data_key().await?.is_some(),
        other => panic!("a kind of row that this test does not read: {other}"),
    })
}

/// A copy of a subscription in a bucket, as it is listed and as it is matched.
async fn filed(store: &DynamoStore, row: &Item, pk: &str) -> Result<bool, String> {
    let subscription: Subscription =
        rows::read::<SubscriptionRow, _>(row.clone()).map_err(|error| error.to_string())?;
    let account = &subscription.account;
    let bucket = subscription.settings.buckets_of_any_release().into_iter().find(|b| keys::bucket_pk(account, b) == pk);
    let bucket = bucket.ok_or("it is filed in another bucket")?;
    let listed = store.find_subscriptions(account, &bucket, None, 9).await.map_err(|error| error.to_string())?;
    store.find_listeners(account, &[bucket]).await.map_err(|error| error.to_string())?;
    Ok(listed == [subscription])
}

/// The health of a destination, which is read together with it.
async fn health(store: &DynamoStore, table: &FakeTable, pk: &str) -> Result<bool, String> {
    let (account, id) = keys::watched_of(pk, keys::HEALTH).expect("a destination");
    let destination = testing::destination(&account, 1, "https://example.com/");
    let row = super::destinations::DestinationRow::from(&destination);
    table.put(rows::to_item(keys::destination(&account, &id), &row).map_err(|error| error.to_string())?);
    let found = store.find_destination(&account, &id).await.map_err(|error| error.to_string())?;
    Ok(found.is_some_and(|found| found.health.version > 0))
}
