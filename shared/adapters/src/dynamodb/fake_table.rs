//! A table for tests of how rows are read and deleted. It stands behind the SDK's client, holds items, and knows just the
//! calls that read, put and delete them. It judges no conditions, and of a range only how its sort keys begin.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::{Value, json};

use super::{DynamoStore, Item};

/// Items as the service writes them, `{"pk": {"S": "A#acme"}}`.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeTable(Arc<Mutex<Vec<Value>>>, Arc<AtomicBool>);

impl FakeTable {
    pub(super) fn store(&self) -> DynamoStore {
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::from_static("local"));
        let config = config.allow_no_auth().http_client(self.clone()).build();
        DynamoStore { client: aws_sdk_dynamodb::Client::from_conf(config), table: "table".to_owned() }
    }

    pub(super) fn put(&self, item: Item) {
        let item = serde_json::to_value(serde_dynamo::Item::from(item)).expect("an item");
        put(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), item);
    }

    /// From now on, nothing that is in the table is in the answer to a query that is not consistent.
    pub(super) fn lag(&self) {
        self.1.store(true, Ordering::SeqCst);
    }

    /// The keys of what is left, `pk sk`.
    pub(super) fn keys(&self) -> Vec<String> {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        items.iter().map(|item| format!("{} {}", text(&item["pk"]), text(&item["sk"]))).collect()
    }

    fn answer(&self, operation: &str, asked: &Value) -> Value {
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is = |item: &Value, key: &Value| item["pk"] == key["pk"] && item["sk"] == key["sk"];
        match operation {
            "GetItem" => match items.iter().find(|item| is(item, &asked["Key"])) {
                Some(item) => json!({ "Item": item }),
                None => json!({}),
            },
            "Query" if self.1.load(Ordering::SeqCst) && asked["ConsistentRead"] != true => query(&[], asked),
            "Query" => query(&items, asked),
            "BatchGetItem" => {
                let keys = asked["RequestItems"]["table"]["Keys"].as_array().cloned().unwrap_or_default();
                let found: Vec<_> = items.iter().filter(|item| keys.iter().any(|key| is(item, key))).collect();
                json!({ "Responses": { "table": found } })
            }
            "BatchWriteItem" => {
                let deleted = asked["RequestItems"]["table"].as_array().cloned().unwrap_or_default();
                items.retain(|item| !deleted.iter().any(|one| is(item, &one["DeleteRequest"]["Key"])));
                json!({ "UnprocessedItems": {} })
            }
            "TransactWriteItems" => {
                let parts = asked["TransactItems"].as_array().cloned().unwrap_or_default();
                items.retain(|item| !parts.iter().any(|part| is(item, &part["Delete"]["Key"])));
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

/// One page: what is in the partition and begins with the prefix.
fn query(items: &[Value], asked: &Value) -> Value {
    let values = &asked["ExpressionAttributeValues"];
    let pk = [&values[":pk"], &values[":account"]].into_iter().find(|pk| !pk.is_null());
    let name = match asked["IndexName"].as_str() {
        None => "pk",
        Some("waiting") => "gsi2pk",
        Some(_) => "gsi1pk",
    };
    let prefix = values[":prefix"]["S"].as_str().unwrap_or_default();
    let begins = |item: &Value| item["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with(prefix));
    let found = items.iter().filter(|item| Some(&item[name]) == pk && begins(item));
    let after = asked["ExclusiveStartKey"]["sk"]["S"].as_str().unwrap_or_default();
    let mut found: Vec<_> = found.filter(|item| item["sk"]["S"].as_str().is_some_and(|sk| sk > after)).collect();
    let limit = asked["Limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).expect("a limit"));
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|item| json!({ "pk": item["pk"], "sk": item["sk"] }));
    json!({ "Items": found, "LastEvaluatedKey": last })
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
