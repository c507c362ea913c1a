//! Look-ups and first writes of rows that are made together: `BatchGetItem`, and `BatchExecuteStatement` with an `INSERT` for
//! each row. An `INSERT` is refused where the row exists, as a `PutItem` is on condition that it does not, and each is
//! refused on its own.
//!
//! Invariant: a row is written only if there is none with its key, and each write fails alone (tests:
//! `of_ten_rows_each_is_written_refused_or_fails_on_its_own`, `a_call_that_fails_writes_for_nobody_and_may_be_made_again`,
//! `two_rows_with_one_key_are_written_once`).
//!
//! Invariant: first attempts that end at about the same time are recorded with one call, as are seals, and none waits for a slow
//! neighbour (tests: `attempts_that_end_at_about_the_same_time_are_recorded_together_and_a_slow_one_holds_up_none`,
//! `events_whose_sends_end_at_about_the_same_time_are_sealed_together`).
//!
//! Invariant: a look-up that the table left out is made again alone (tests:
//! `ten_rows_are_looked_up_with_one_call_and_what_is_left_out_alone`).

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse, KeysAndAttributes,
    ReturnValuesOnConditionCheckFailure,
};
use ports::PortResult;

use super::{Item, Written, cost_wanted, count};
use crate::aws::{build_error, port_error};
use crate::gather::Together;

/// As many as Lambda hands over in a batch, so that a whole batch waits for nobody else. The service takes 25 statements
/// and 100 keys.
const BATCH: usize = 10;
/// What the rows of one call may have together: far below what the service takes, so that the rest of the memory is for
/// the records.
const BATCH_BYTES: usize = 1_048_576;

/// Row by row, or several at once.
pub(super) struct LookUps {
    pub(super) client: Client,
    pub(super) table: String,
}

#[async_trait]
impl Together for LookUps {
    /// A key, as an item has it.
    type Request = Item;
    type Answer = Option<Item>;
    const MOST: usize = BATCH;
    const MOST_BYTES: usize = BATCH_BYTES;

    fn bytes(key: &Item) -> usize {
        bytes_of(key)
    }

    async fn alone(&self, key: Item) -> PortResult<Option<Item>> {
        get_item(&self.client, &self.table, key).await
    }

    /// An answer for each key that the table had time for.
    async fn together(&self, keys: &[Item]) -> PortResult<Vec<Option<Option<Item>>>> {
        // The service refuses a key that is named twice.
        let named = keys.iter().enumerate().filter(|(n, key)| !keys[..*n].contains(key));
        let named = named.map(|(_, key)| key.clone()).collect();
        let named = KeysAndAttributes::builder().set_keys(Some(named)).consistent_read(true).build();
        let call = self.client.batch_get_item().request_items(&self.table, named.map_err(build_error)?);
        let answer = call.send().await.map_err(|error| port_error("reading rows", error))?;
        let found = answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default();
        let left = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
        let is_left = |key: &Item| left.as_ref().is_some_and(|left| left.keys.contains(key));
        let row = |key: &Item| found.iter().find(|item| is_of(item, key)).cloned();
        Ok(keys.iter().map(|key| (!is_left(key)).then(|| row(key))).collect())
    }
}

/// Whether an item has the same primary key as another one, which may be nothing but a key.
fn is_of(item: &Item, other: &Item) -> bool {
    ["pk", "sk"].iter().all(|name| item.get(*name) == other.get(*name))
}

/// The row at `key`, read consistently.
pub(super) async fn get_item(client: &Client, table: &str, key: Item) -> PortResult<Option<Item>> {
    let call = client.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
    let call = call.set_return_consumed_capacity(cost_wanted());
    let answer = call.send().await.map_err(|error| port_error("reading a row", error))?;
    count(answer.consumed_capacity());
    Ok(answer.item)
}

/// Writes rows that do not exist yet.
pub(super) struct Inserts {
    pub(super) client: Client,
    pub(super) table: String,
}

#[async_trait]
impl Together for Inserts {
    type Request = Item;
    type Answer = Written;
    const MOST: usize = BATCH;
    const MOST_BYTES: usize = BATCH_BYTES;

    fn bytes(item: &Item) -> usize {
        bytes_of(item)
    }

    async fn alone(&self, item: Item) -> PortResult<Written> {
        put_new(&self.client, &self.table, item).await
    }

    /// An answer for each row that was written or exists. The others failed for reasons that a call of their own tells.
    async fn together(&self, items: &[Item]) -> PortResult<Vec<Option<Written>>> {
        // Of two rows with one key, the second one is left to a call of its own.
        let is_first = |(n, item): (usize, &Item)| !items[..n].iter().any(|before| is_of(before, item));
        let firsts: Vec<bool> = items.iter().enumerate().map(is_first).collect();
        let statements = items.iter().zip(&firsts).filter(|(_, first)| **first);
        let statements = statements.map(|(item, _)| insert(&self.table, item)).collect::<PortResult<Vec<_>>>()?;
        let call = self.client.batch_execute_statement().set_statements(Some(statements)).send().await;
        let answer = call.map_err(|error| port_error("writing rows", error))?;
        let mut answers = answer.responses.unwrap_or_default().into_iter();
        Ok(firsts.into_iter().map(|first| if first { answers.next().and_then(written) } else { None }).collect())
    }
}

/// Writes the row if there is none with its key.
pub(super) async fn put_new(client: &Client, table: &str, item: Item) -> PortResult<Written> {
    let call = client.put_item().table_name(table).set_item(Some(item));
    let call = call.condition_expression("attribute_not_exists(pk)");
    let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    super::written(call.send().await.map(|_| ()))
}

fn written(answer: BatchStatementResponse) -> Option<Written> {
    match answer.error {
        None => Some(Written::Written),
        Some(error) if error.code == Some(BatchStatementErrorCodeEnum::DuplicateItem) => {
            Some(Written::Refused(error.item.map(Box::new)))
        }
        Some(_) => None,
    }
}

/// `INSERT INTO "table" VALUE {'pk': ?, …}`, with the item's values as parameters.
fn insert(table: &str, item: &Item) -> PortResult<BatchStatementRequest> {
    let mut statement = format!("INSERT INTO \"{table}\" VALUE {{");
    for (n, name) in item.keys().enumerate() {
        statement.push_str(if n == 0 { "'" } else { ", '" });
        // A quote is written twice.
        statement.extend(name.split('\'').flat_map(|part| ["''", part]).skip(1));
        statement.push_str("': ?");
    }
    statement.push('}');
    let values = item.values().cloned().collect();
    BatchStatementRequest::builder().statement(statement).set_parameters(Some(values)).build().map_err(build_error)
}

/// About how large an item is in the table.
fn bytes_of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + bytes(value)).sum()
}

fn bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::L(list) => list.iter().map(|value| bytes(value) + 1).sum(),
        AttributeValue::M(map) => map.iter().map(|(name, value)| name.len() + bytes(value) + 1).sum(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|blob| blob.as_ref().len()).sum(),
        _ => 1,
    }
}
