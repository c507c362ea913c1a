//! Converts rows to items and back. The rows themselves are defined beside what stores them.

use aws_sdk_dynamodb::types::AttributeValue;
use ports::{BoxError, PortError, PortResult};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Item;
use super::keys::Key;

/// The fields of a row as an item under `key`.
pub(super) fn to_item(key: Key, row: &impl Serialize) -> PortResult<Item> {
    let mut item: Item = serde_dynamo::to_item(row).map_err(|e| PortError::permanent("writing a row", e))?;
    item.insert("pk".into(), AttributeValue::S(key.pk));
    item.insert("sk".into(), AttributeValue::S(key.sk));
    Ok(item)
}

/// One field of a row.
pub(super) fn to_attribute(field: &impl Serialize) -> PortResult<AttributeValue> {
    serde_dynamo::to_attribute_value(field).map_err(|e| PortError::permanent("writing a row", e))
}

/// The fields of a row, read from an item. We wrote whatever is in the table, so any error is permanent.
pub(super) fn from_item<T: DeserializeOwned>(item: Item) -> PortResult<T> {
    serde_dynamo::from_item(item).map_err(|e| PortError::permanent("reading a row", e))
}

pub(super) fn digest(bytes: &[u8]) -> PortResult<[u8; 32]> {
    bytes.try_into().map_err(|e| PortError::permanent("reading a digest", Box::new(e) as BoxError))
}
