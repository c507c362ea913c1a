//! Reads up to 100 rows with one call.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use ports::{BoxError, PortError, PortResult};
use serde::de::DeserializeOwned;

use super::keys::Key;
use super::rows::readable;
use super::{DynamoStore, Item, as_item, cost_wanted, count};
use crate::aws::{build_error, port_error};

/// How many rows one call may ask for.
pub(super) const BATCH: usize = 100;
/// How often the rest of a batch is asked for again.
const TRIES: u32 = 6;

/// The part that is read of rows.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    /// All of it if there is none.
    pub(super) expression: Option<&'static str>,
    /// The real name of `#state`, if the expression contains it.
    pub(super) state: Option<&'static str>,
    /// Whether the read is consistent.
    pub(super) consistent: bool,
}

impl DynamoStore {
    /// The rows that exist and can be read, in any order.
    pub(super) async fn get_all<R, T>(&self, rows: Vec<Key>, fields: Fields) -> PortResult<Vec<T>>
    where
        R: DeserializeOwned,
        T: TryFrom<R, Error: Into<BoxError>>,
    {
        Ok(readable::<R, T>(self.get_items(&rows, fields).await?).collect())
    }

    /// The rows that exist, in any order.
    pub(super) async fn get_items(&self, rows: &[Key], fields: Fields) -> PortResult<Vec<Item>> {
        let mut found = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            found.extend(self.get_batch(batch, fields).await?);
        }
        Ok(found)
    }

    /// The rows that exist, of up to 100, in any order; without those for which the table has no time now, such as the
    /// rows of a busy account.
    pub(super) async fn get_at_once(&self, batch: &[Key], fields: Fields) -> PortResult<Vec<Item>> {
        self.ask(asked(batch, fields)?).await.map(|(found, _)| found)
    }

    async fn get_batch(&self, batch: &[Key], fields: Fields) -> PortResult<Vec<Item>> {
        let (mut found, mut left) = (Vec::new(), asked(batch, fields)?);
        for tried in 0..TRIES {
            let (some, rest) = self.ask(left).await?;
            found.extend(some);
            // An answer has at most 16 MB, and a throttled table leaves rows out.
            match rest {
                Some(rest) => left = rest,
                None => return Ok(found),
            }
            tokio::time::sleep(Duration::from_millis(50) * 2_u32.pow(tried)).await;
        }
        Err(PortError::transient("reading rows", "the table left rows out of a batch again and again"))
    }

    /// The rows of one answer, and what it leaves out.
    async fn ask(&self, rows: KeysAndAttributes) -> PortResult<(Vec<Item>, Option<KeysAndAttributes>)> {
        let call = self.client.batch_get_item().request_items(&self.table, rows);
        let call = call.set_return_consumed_capacity(cost_wanted());
        let answer = call.send().await.map_err(|error| port_error("reading rows", error))?;
        answer.consumed_capacity().iter().for_each(|capacity| count(Some(capacity)));
        let found = answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default();
        Ok((found, answer.unprocessed_keys.unwrap_or_default().remove(&self.table)))
    }
}

fn asked(batch: &[Key], fields: Fields) -> PortResult<KeysAndAttributes> {
    let asked = KeysAndAttributes::builder().set_keys(Some(batch.iter().cloned().map(as_item).collect()));
    let asked =
        asked.set_projection_expression(fields.expression.map(str::to_owned)).consistent_read(fields.consistent);
    let names = fields.state.map(|name| HashMap::from([("#state".to_owned(), name.to_owned())]));
    asked.set_expression_attribute_names(names).build().map_err(build_error)
}
