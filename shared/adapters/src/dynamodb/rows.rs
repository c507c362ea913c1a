//! Converts rows to items and back. The rows themselves are defined beside what stores them.
//!
//! Stored rows are read tolerantly: unknown attributes are ignored, and kept if only a part of the row is updated. A
//! row may be unreadable because it is damaged or a newer release wrote it. Then a request for that row fails and names
//! its key ([`read`]), and a list leaves it out and logs it for the operator ([`readable`]).
//!
//! Invariant: a row that cannot be read fails only requests for that row, and is logged by its key, without its content
//! (tests: `a_list_leaves_out_a_row_that_cannot_be_read_and_tells_its_key_alone`,
//! `a_row_that_was_asked_for_fails_by_its_key`).

use aws_sdk_dynamodb::types::AttributeValue;
use ports::{BoxError, PortError, PortResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

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

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the row {pk:?}, {sk:?} is not understood at `{field}`")]
pub(super) struct Unreadable {
    pk: String,
    sk: String,
    /// The path of the field; `.` for the row as a whole.
    field: String,
    source: BoxError,
}

impl Unreadable {
    pub(super) fn new(key: &Key, source: impl Into<BoxError>) -> Self {
        Self { pk: key.pk.clone(), sk: key.sk.clone(), field: ".".to_owned(), source: source.into() }
    }

    /// Logs it for the operator. The source is left out, because it may contain parts of the row.
    pub(super) fn tell(&self) {
        error!(
            counted = "unreadable_row",
            "row.pk" = self.pk,
            "row.sk" = self.sk,
            field = self.field,
            "a row cannot be read and was left out of a list"
        );
    }
}

impl From<Unreadable> for PortError {
    fn from(unreadable: Unreadable) -> Self {
        Self::permanent("reading a row", unreadable)
    }
}

/// The primary key of an item that was read; empty if the item came without it.
pub(super) fn key_of(item: &Item) -> Key {
    let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    Key { pk: text("pk"), sk: text("sk") }
}

/// Converts an item to the row `R`, and that to `T`.
fn convert<R: DeserializeOwned, T: TryFrom<R, Error: Into<BoxError>>>(item: Item) -> Result<T, Unreadable> {
    let key = key_of(&item);
    let fields = serde_dynamo::AttributeValue::M(serde_dynamo::Item::from(item).into());
    let row: R = serde_path_to_error::deserialize(serde_dynamo::Deserializer::from_attribute_value(fields))
        .map_err(|error| Unreadable { field: error.path().to_string(), ..Unreadable::new(&key, error.into_inner()) })?;
    T::try_from(row).map_err(|error| Unreadable::new(&key, error))
}

/// A row that was asked for. Only our own code writes to the table, so any error is permanent.
pub(super) fn read<R: DeserializeOwned, T: TryFrom<R, Error: Into<BoxError>>>(item: Item) -> PortResult<T> {
    convert(item).map_err(PortError::from)
}

/// The rows of a page that can be read. Each other row is left out and logged for the operator, so that it stops
/// neither the list nor what comes after it.
pub(super) fn readable<R: DeserializeOwned, T: TryFrom<R, Error: Into<BoxError>>>(
    page: impl IntoIterator<Item = Item>,
) -> impl Iterator<Item = T> {
    page.into_iter().filter_map(|item| convert(item).map_err(|unreadable| unreadable.tell()).ok())
}

pub(super) fn digest(bytes: &[u8]) -> PortResult<[u8; 32]> {
    bytes.try_into().map_err(|e| PortError::permanent("reading a digest", Box::new(e) as BoxError))
}
