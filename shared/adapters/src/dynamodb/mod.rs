//! The table in DynamoDB. [`keys`] builds every key string; each other file has the rows of what it stores. Rows are
//! not visible outside of this module.

mod accounts;
mod api_keys;
mod audit;
mod awaited_runs;
mod budgets;
mod bulk;
#[cfg(test)]
mod counted_units;
mod data_keys;
mod deliveries;
mod destinations;
mod events;
#[cfg(test)]
mod fake_table;
mod gathered;
mod health;
mod jobs;
mod kept_answers;
mod keys;
#[cfg(test)]
mod listed_at_once;
#[cfg(test)]
mod listed_in_order;
mod old_notes;
mod paces;
mod plain_state;
mod purge;
mod reckoning;
mod rejected_events;
#[cfg(test)]
mod released;
mod roll_ups;
mod rows;
mod seen_scopes;
mod sessions;
mod stored_health;
mod stretch;
mod subscriptions;
mod test_places;
mod transactions;
mod transitions;
#[cfg(test)]
mod unreadable;
mod unregistered_accounts;
mod waiting;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity};
use ports::{BoxError, PortResult, read_units};
use serde::de::DeserializeOwned;

pub(crate) use self::data_keys::DataKeyRow;
use self::events::Form;
use self::gathered::{Inserts, LookUps};
pub(crate) use self::kept_answers::Before;
use self::keys::Key;
use crate::aws::{AwsClients, port_error};
use crate::gather::Gather;
use crate::under_way::{Counted, UnderWay};

type Item = HashMap<String, AttributeValue>;

/// Implements every port that needs the table.
pub struct DynamoStore {
    client: Client,
    table: String,
    look_ups: Gather<LookUps>,
    inserts: Gather<Inserts>,
    under_way: UnderWay,
    /// How events are written.
    form: Form,
}

/// The result of a conditional write.
enum Written {
    Written,
    /// The condition was not met. Contains the stored row, if it was requested.
    Refused(Option<Box<Item>>),
}

/// How a list is read.
#[derive(Debug, Clone, Copy)]
enum Reads {
    /// Strongly consistent, for twice the price.
    Consistently,
    /// Eventually consistent: the latest writes may be missing.
    Cheaply,
}

impl DynamoStore {
    pub fn new(aws: &AwsClients, table: String) -> Self {
        Self::of(aws.dynamodb(), table)
    }

    fn of(client: Client, table: String) -> Self {
        let under_way = UnderWay::default();
        let look_ups = LookUps { client: client.clone(), table: table.clone() };
        let inserts = Inserts { client: client.clone(), table: table.clone() };
        let look_ups = Gather::new(look_ups, UnderWay::default());
        let inserts = Gather::new(inserts, under_way.clone());
        Self { client, table, look_ups, inserts, under_way, form: Form::Plain }
    }

    /// The same store, which writes events in the compact form if it is told to. Version 0.2.0 cannot read them; this
    /// one always reads both.
    pub fn with_compact_events(self, compact: bool) -> Self {
        Self { form: if compact { Form::Compact } else { Form::Plain }, ..self }
    }

    /// A sender of whose attempts, or a queue of whose sends this store knows when they end: the rows that are written after
    /// them are written together.
    pub fn counting<S>(&self, inner: S) -> Counted<S> {
        Counted::new(inner, self.under_way.clone())
    }

    /// The row `R` at `key` as `T`, read consistently.
    async fn get<R, T>(&self, key: Key) -> PortResult<Option<T>>
    where
        R: DeserializeOwned,
        T: TryFrom<R, Error: Into<BoxError>>,
    {
        gathered::get_item(&self.client, &self.table, as_item(key)).await?.map(rows::read::<R, T>).transpose()
    }

    async fn put(&self, item: Item) -> PortResult<()> {
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        call.send().await.map(|_| ()).map_err(|error| port_error("writing a row", error))
    }

    /// Writes the row if there is none with its key.
    async fn put_new(&self, item: Item) -> PortResult<Written> {
        gathered::put_new(&self.client, &self.table, item).await
    }

    /// At most `limit` rows `R` of a partition, as `T` and in order, whose sort key begins with `prefix` and comes
    /// after `after`; all of them if there is no limit. `reads` says how they are read. Rows that cannot be read are
    /// left out and logged for the operator.
    async fn query<R, T>(
        &self,
        reads: Reads,
        pk: String,
        prefix: &str,
        after: Option<Key>,
        limit: Option<usize>,
    ) -> PortResult<Vec<T>>
    where
        R: DeserializeOwned,
        T: TryFrom<R, Error: Into<BoxError>>,
    {
        // The service refuses a limit of 0.
        if limit == Some(0) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let mut start = after.map(as_item);
        loop {
            let size = limit.map(|limit| page_size(limit, found.len()));
            let call = self.client.query().table_name(&self.table).set_limit(size).set_exclusive_start_key(start);
            let call = call.consistent_read(matches!(reads, Reads::Consistently));
            let call = call.key_condition_expression("pk = :pk AND begins_with(sk, :prefix)");
            let call = call.expression_attribute_values(":pk", AttributeValue::S(pk.clone()));
            let call = call.expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
            let call = call.set_return_consumed_capacity(cost_wanted());
            let page = call.send().await.map_err(|error| port_error("listing rows", error))?;
            count(page.consumed_capacity());
            found.extend(rows::readable::<R, T>(page.items.unwrap_or_default()));
            start = page.last_evaluated_key;
            if start.is_none() || limit.is_some_and(|limit| found.len() >= limit) {
                found.truncate(limit.unwrap_or(usize::MAX));
                return Ok(found);
            }
        }
    }
}

/// How many rows to ask for if `found` of `limit` are there: the missing ones, but not one by one, because some of the
/// next rows may be unreadable.
fn page_size(limit: usize, found: usize) -> i32 {
    i32::try_from(limit.saturating_sub(found).max(limit.min(25))).unwrap_or(i32::MAX)
}

/// While a request is answered, reads report their cost.
fn cost_wanted() -> Option<ReturnConsumedCapacity> {
    read_units::are_counted().then_some(ReturnConsumedCapacity::Total)
}

fn count(capacity: Option<&ConsumedCapacity>) {
    read_units::add(capacity.and_then(|capacity| capacity.capacity_units).unwrap_or_default());
}

fn as_item(key: Key) -> Item {
    HashMap::from([("pk".to_owned(), AttributeValue::S(key.pk)), ("sk".to_owned(), AttributeValue::S(key.sk))])
}

fn written(
    result: Result<(), SdkError<PutItemError, aws_sdk_dynamodb::config::http::HttpResponse>>,
) -> PortResult<Written> {
    match result {
        Ok(()) => Ok(Written::Written),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Written::Refused(refused.item().cloned().map(Box::new)))
            }
            _ => Err(port_error("writing a row", error)),
        },
    }
}
