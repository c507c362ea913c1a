//! The story's own table, like the deployed one, and its rows as text.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use adapters::{AwsClients, DynamoStore};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::{BASE64, HEXLOWER};
use harness::failure::OrFailure;
use harness::unique::unique;
use harness::{Deployment, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::empty_table;

/// Longer values are replaced by their beginning, their length and their digest.
const LONGEST: usize = 4_000;
const BEGINNING: usize = 300;

pub struct Table {
    client: Client,
    aws: AwsClients,
    name: String,
}

impl Table {
    /// An empty table, with the keys and indexes of the deployment's table.
    pub async fn create(deployment: &Deployment) -> Result<Self> {
        let (client, name) = (deployment.dynamodb(), unique("recorded-run"));
        let create = empty_table::request(deployment, &client, &name).await?;
        create.send().await.or_failure(|| "the table cannot be created")?;
        Ok(Self { client, aws: AwsClients::from_config(deployment.sdk_config()), name })
    }

    pub async fn delete(&self) -> Result<()> {
        self.client.delete_table().table_name(&self.name).send().await.or_failure(|| "the table cannot be deleted")?;
        Ok(())
    }

    pub fn store(&self) -> Arc<DynamoStore> {
        Arc::new(DynamoStore::new(&self.aws, self.name.clone()))
    }

    /// All rows, sorted by key, each as `[pk, sk, attributes]`; only those that contain `part`.
    pub async fn rows(&self, part: &str) -> Value {
        let mut rows = BTreeMap::new();
        let mut pages = self.client.scan().table_name(&self.name).consistent_read(true).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item.expect("a row");
            let key = [&item["pk"], &item["sk"]].map(|key| key.as_s().expect("text").clone());
            rows.insert(key, row(&item));
        }
        rows.into_values().filter(|row: &Value| row.to_string().contains(part)).collect()
    }
}

fn row(item: &HashMap<String, AttributeValue>) -> Value {
    let attributes = item.iter().filter(|(name, _)| !matches!(name.as_str(), "pk" | "sk"));
    let attributes: BTreeMap<_, _> = attributes.map(|(name, attribute)| (name, short(value(attribute)))).collect();
    json!([value(&item["pk"]), value(&item["sk"]), attributes])
}

/// In DynamoDB's JSON, with plain texts for strings.
fn value(attribute: &AttributeValue) -> Value {
    match attribute {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::B(bytes) => json!({ "B": BASE64.encode(bytes.as_ref()) }),
        AttributeValue::Bool(value) => json!(value),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::L(list) => list.iter().map(value).collect(),
        AttributeValue::M(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(name, attribute)| (name, value(attribute))).collect();
            json!({ "M": sorted })
        }
        other => panic!("a kind of attribute that no row had: {other:?}"),
    }
}

fn short(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= LONGEST {
        return value;
    }
    let beginning: String = text.chars().take(BEGINNING).collect();
    json!({ "beginning": beginning, "length": text.len(), "sha256": digest(&text) })
}

pub fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
