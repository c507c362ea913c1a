//! A table for tests of how rows are read and deleted. It replaces the service behind the SDK's client, and knows only
//! the calls that read, put and delete items. It ignores conditions. Like the service, it refuses to start a read from
//! a row outside of the requested range. It reports what reads cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::{Value, json};

use super::keys::Key;
use super::{DynamoStore, Item};

/// Items as the service writes them, `{"pk": {"S": "A#acme"}}`.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeTable(Arc<Mutex<Vec<Value>>>, Arc<AtomicBool>);

impl FakeTable {
    pub(super) fn store(&self) -> DynamoStore {
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::from_static("local"));
        let config = config.allow_no_auth().http_client(self.clone()).build();
        DynamoStore::of(aws_sdk_dynamodb::Client::from_conf(config), "table".to_owned())
    }

    pub(super) fn put(&self, item: Item) {
        let item = serde_json::to_value(serde_dynamo::Item::from(item)).expect("an item");
        put(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), item);
    }

    /// From now on, answers to queries and batches that are not consistent are empty.
    pub(super) fn lag(&self) {
        self.1.store(true, Ordering::SeqCst);
    }

    /// The keys of the remaining rows, as `pk sk`.
    pub(super) fn keys(&self) -> Vec<String> {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        items.iter().map(|item| format!("{} {}", text(&item["pk"]), text(&item["sk"]))).collect()
    }

    /// The key of the row that has the attribute, and its value.
    pub(super) fn attribute(&self, name: &str) -> Option<(Key, Value)> {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let item = items.iter().find(|item| !item[name].is_null())?;
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        Some((Key { pk: text("pk"), sk: text("sk") }, item[name].clone()))
    }

    /// Replaces an attribute of a row; null takes it away.
    pub(super) fn set(&self, key: &Key, name: &str, value: Value) {
        for item in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            if item["pk"]["S"] == key.pk && item["sk"]["S"] == key.sk {
                item[name] = value.clone();
                if let Some(fields) = item.as_object_mut() {
                    fields.retain(|_, value| !value.is_null());
                }
            }
        }
    }

    fn answer(&self, operation: &str, asked: &Value) -> Value {
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is = |item: &Value, key: &Value| item["pk"] == key["pk"] && item["sk"] == key["sk"];
        match operation {
            "GetItem" => match items.iter().find(|item| is(item, &asked["Key"])) {
                Some(item) => json!({ "Item": item, "ConsumedCapacity": cost(&[4_096.0 * blocks(item)], asked) }),
                None => json!({}),
            },
            "Query" if self.1.load(Ordering::SeqCst) && asked["ConsistentRead"] != true => query(&[], asked),
            "Query" => query(&items, asked),
            "BatchGetItem"
                if self.1.load(Ordering::SeqCst) && asked["RequestItems"]["table"]["ConsistentRead"] != true =>
            {
                json!({ "Responses": { "table": [] } })
            }
            "BatchGetItem" => {
                let keys = asked["RequestItems"]["table"]["Keys"].as_array().cloned().unwrap_or_default();
                let found: Vec<_> = items.iter().filter(|item| keys.iter().any(|key| is(item, key))).collect();
                let bytes: Vec<_> = found.iter().map(|item| 4_096.0 * blocks(item)).collect();
                let cost = cost(&bytes, &asked["RequestItems"]["table"]);
                json!({ "Responses": { "table": found }, "ConsumedCapacity": [cost] })
            }
            "BatchWriteItem" => {
                let deleted = asked["RequestItems"]["table"].as_array().cloned().unwrap_or_default();
                items.retain(|item| !deleted.iter().any(|one| is(item, &one["DeleteRequest"]["Key"])));
                json!({ "UnprocessedItems": {} })
            }
            "TransactWriteItems" => {
                let parts = asked["TransactItems"].as_array().cloned().unwrap_or_default();
                items.retain(|item| !parts.iter().any(|part| is(item, &part["Delete"]["Key"])));
                for part in parts.iter().filter(|part| !part["Put"].is_null()) {
                    put(&mut items, part["Put"]["Item"].clone());
                }
                json!({})
            }
            "PutItem" => {
                put(&mut items, asked["Item"].clone());
                json!({})
            }
            "DeleteItem" => {
                items.retain(|item| !is(item, &asked["Key"]));
                json!({})
            }
            other => panic!("{other} is not known to this table"),
        }
    }
}

fn put(items: &mut Vec<Value>, item: Value) {
    items.retain(|other| (&other["pk"], &other["sk"]) != (&item["pk"], &item["sk"]));
    items.push(item);
    items.sort_by_key(|item| item["sk"]["S"].to_string());
}

/// At least the size of an item.
fn bytes(item: &Value) -> f64 {
    item.to_string().len() as f64
}

/// Items that are read one by one are rounded up to blocks of 4 KiB.
fn blocks(item: &Value) -> f64 {
    (bytes(item) / 4_096.0).ceil()
}

/// The cost of reading that many bytes.
fn cost(bytes: &[f64], asked: &Value) -> Value {
    let blocks = (bytes.iter().sum::<f64>() / 4_096.0).ceil();
    json!({ "CapacityUnits": if asked["ConsistentRead"] == true { blocks } else { blocks / 2.0 } })
}

/// One page: the items of the partition that begin with the prefix, or are in the range.
fn query(items: &[Value], asked: &Value) -> Value {
    let values = &asked["ExpressionAttributeValues"];
    let pk = [&values[":pk"], &values[":account"]].into_iter().find(|pk| !pk.is_null());
    let (pk_name, sk_name) = match asked["IndexName"].as_str() {
        None => ("pk", "sk"),
        // For this index, the sort keys are ignored.
        Some("waiting") => ("gsi2pk", "sk"),
        Some(_) => ("gsi1pk", "gsi1sk"),
    };
    let sk = |item: &Value| item[sk_name]["S"].as_str().unwrap_or_default().to_owned();
    let bound = |name: &str| values[name]["S"].as_str().map(str::to_owned);
    let (prefix, from, to) = (bound(":prefix").unwrap_or_default(), bound(":from"), bound(":to"));
    let within = |sk: &String| {
        sk.starts_with(&prefix) && from.as_ref().is_none_or(|from| sk >= from) && to.as_ref().is_none_or(|to| sk <= to)
    };
    let mut found: Vec<_> = items.iter().filter(|item| Some(&item[pk_name]) == pk && within(&sk(item))).collect();
    let backward = asked["ScanIndexForward"] == false;
    found.sort_by_key(|item| sk(item));
    if backward {
        found.reverse();
    }
    if let Some(start) = asked.get("ExclusiveStartKey").map(sk) {
        assert!(within(&start), "{start} is not in what is asked for: {asked}");
        found.retain(|item| if backward { sk(item) < start } else { sk(item) > start });
    }
    let limit = asked["Limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).expect("a limit"));
    let more = found.len() > limit;
    found.truncate(limit);
    let key = |item: &Value| {
        let names = ["pk", "sk", pk_name, sk_name].into_iter();
        names.map(|name| (name.to_owned(), item[name].clone())).collect::<serde_json::Map<_, _>>()
    };
    let last = found.last().filter(|_| more).map(|item| key(item));
    let bytes: Vec<_> = found.iter().map(|item| bytes(item)).collect();
    json!({ "Items": found, "LastEvaluatedKey": last, "ConsumedCapacity": cost(&bytes, asked) })
}

impl HttpClient for FakeTable {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FakeTable {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let asked = serde_json::from_slice(request.body().bytes().unwrap_or_default()).expect("JSON");
        let answer = self.answer(operation, &asked).to_string();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().expect("a status"), answer.into())))
    }
}
