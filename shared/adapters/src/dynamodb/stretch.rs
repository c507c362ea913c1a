//! Reads a part of a partition: a range of its sort keys, from the end or from the beginning.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::value::AccountId;
use ports::{BoxError, Order, PortResult};
use serde::de::DeserializeOwned;

use super::keys::Key;
use super::rows::readable;
use super::{DynamoStore, Item, Reads, as_item, cost_wanted, count, keys, page_size};
use crate::aws::port_error;

/// The part of a partition that is read: sort keys from `from` to `to`, both included, without the row of `start`.
pub(super) struct Stretch {
    /// An index cannot be read consistently.
    pub(super) reads: Reads,
    pub(super) index: Option<&'static str>,
    pub(super) names: [&'static str; 2],
    pub(super) pk: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) order: Order,
    /// The primary key and the index key of the last row that was read; the rest begins after its sort key. Set by
    /// [`Stretch::after`].
    pub(super) start: Option<Item>,
    pub(super) limit: usize,
    /// The attributes to read; empty for all. Reading fewer costs the same, but transfers less.
    pub(super) only: &'static [&'static str],
}

impl Stretch {
    /// Rows of the table itself, with all of their attributes.
    pub(super) fn of_rows(reads: Reads, pk: String, [from, to]: [String; 2], order: Order, limit: usize) -> Self {
        Self { reads, index: None, names: ["pk", "sk"], pk, from, to, order, start: None, limit, only: &[] }
    }

    /// Continues after a row of the table itself.
    pub(super) fn after_row(self, row: Option<Key>) -> Self {
        self.after(row.map(|key| (key.sk.clone(), as_item(key))))
    }

    /// Continues after the row with this sort key and these keys. A row before the whole range has no effect: the
    /// service refuses to start outside of the range.
    pub(super) fn after(self, row: Option<(String, Item)>) -> Self {
        match (row, self.order) {
            (Some((sk, keys)), Order::NewestFirst) if sk <= self.to => Self { to: sk, start: Some(keys), ..self },
            (Some((sk, keys)), Order::OldestFirst) if sk >= self.from => Self { from: sk, start: Some(keys), ..self },
            _ => self,
        }
    }
}

impl DynamoStore {
    /// The rows `R` of an account's partition whose sort keys begin with `prefix` and come after the row of `after`.
    pub(super) async fn query_account<R, T>(
        &self,
        account: &AccountId,
        prefix: &str,
        order: Order,
        after: Option<Key>,
        limit: usize,
    ) -> PortResult<Vec<T>>
    where
        R: DeserializeOwned,
        T: TryFrom<R, Error: Into<BoxError>>,
    {
        let all = [prefix.to_owned(), format!("{prefix}~")];
        let all = Stretch::of_rows(Reads::Consistently, keys::account_pk(account), all, order, limit);
        self.query_stretch::<R, T>(all.after_row(after)).await
    }

    /// The rows `R` of that part as `T`. Rows that cannot be read are left out and logged for the operator.
    pub(super) async fn query_stretch<R, T>(&self, what: Stretch) -> PortResult<Vec<T>>
    where
        R: DeserializeOwned,
        T: TryFrom<R, Error: Into<BoxError>>,
    {
        // The service refuses a range that ends before it begins. Such a range is empty.
        if what.from > what.to {
            return Ok(Vec::new());
        }
        let (mut found, mut start) = (Vec::new(), what.start);
        loop {
            let size = page_size(what.limit, found.len());
            let call = self.client.query().table_name(&self.table).set_index_name(what.index.map(str::to_owned));
            let call = call.consistent_read(matches!(what.reads, Reads::Consistently));
            let call =
                call.scan_index_forward(what.order == Order::OldestFirst).limit(size).set_exclusive_start_key(start);
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
            let call = call.set_return_consumed_capacity(cost_wanted());
            let page = call.send().await.map_err(|error| port_error("listing rows", error))?;
            count(page.consumed_capacity());
            found.extend(readable::<R, T>(page.items.unwrap_or_default()));
            start = page.last_evaluated_key;
            if start.is_none() || found.len() >= what.limit {
                found.truncate(what.limit);
                return Ok(found);
            }
        }
    }
}
