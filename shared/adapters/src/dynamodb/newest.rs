//! Reads a part of a partition from its end: newest rows first. It does not read consistently.

use aws_sdk_dynamodb::types::AttributeValue;
use ports::{BoxError, PortResult};
use serde::de::DeserializeOwned;

use super::rows::readable;
use super::{DynamoStore, Item, page_size};
use crate::aws::port_error;

/// The part of a partition that is read: sort keys from `from` to `to`, both included, but without the row of `after`.
pub(super) struct Newest {
    pub(super) index: Option<&'static str>,
    pub(super) names: [&'static str; 2],
    pub(super) pk: String,
    pub(super) from: String,
    pub(super) to: String,
    /// The primary key and the index key of the last row that was read. Its sort key is `to`.
    pub(super) after: Option<Item>,
    pub(super) limit: usize,
    /// The attributes to read; empty for all. Reading fewer costs the same, but transfers less.
    pub(super) only: &'static [&'static str],
}

impl DynamoStore {
    /// The rows `R` of that part as `T`. Rows that cannot be read are left out and told to the operator.
    pub(super) async fn query_newest<R, T>(&self, what: Newest) -> PortResult<Vec<T>>
    where
        R: DeserializeOwned,
        T: TryFrom<R, Error: Into<BoxError>>,
    {
        // The service refuses a range whose end comes before its beginning. Such a range is empty.
        if what.from > what.to {
            return Ok(Vec::new());
        }
        let (mut found, mut start) = (Vec::new(), what.after);
        loop {
            let size = page_size(what.limit, found.len());
            let call = self.client.query().table_name(&self.table).set_index_name(what.index.map(str::to_owned));
            let call = call.scan_index_forward(false).limit(size).set_exclusive_start_key(start);
            let call = call.key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to");
            let call = call.expression_attribute_names("#pk", what.names[0]);
            let call = call.expression_attribute_names("#sk", what.names[1]);
            let call = call.expression_attribute_values(":pk", AttributeValue::S(what.pk.clone()));
            let call = call.expression_attribute_values(":from", AttributeValue::S(what.from.clone()));
            let call = call.expression_attribute_values(":to", AttributeValue::S(what.to.clone()));
            let placeholders: Vec<_> = (0..what.only.len()).map(|n| format!("#f{n}")).collect();
            let call = call.set_projection_expression((!what.only.is_empty()).then(|| placeholders.join(", ")));
            let named = placeholders.into_iter().zip(what.only);
            let call =
                named.fold(call, |call, (placeholder, name)| call.expression_attribute_names(placeholder, *name));
            let page = call.send().await.map_err(|error| port_error("listing rows", error))?;
            found.extend(readable::<R, T>(page.items.unwrap_or_default()));
            start = page.last_evaluated_key;
            if start.is_none() || found.len() >= what.limit {
                found.truncate(what.limit);
                return Ok(found);
            }
        }
    }
}
