//! Writes that happen together or not at all.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};
use domain::value::AccountId;
use ports::{FindAccount, PortError, PortResult};

use super::keys::{self, Key};
use super::rows::to_item;
use super::{DynamoStore, Item, as_item};
use crate::aws::{build_error, port_error};

/// How often a transaction is tried again that met another one.
const TRIES: u32 = 6;

/// The row of a taken name.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct NameRow {
    pub(super) id: String,
}

/// What an account has a limited number of, as an attribute of its row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
    Destinations,
    Subscriptions,
}

impl Counted {
    fn attribute(self) -> &'static str {
        match self {
            Counted::Destinations => "destinations",
            Counted::Subscriptions => "subscriptions",
        }
    }
}

impl DynamoStore {
    /// Writes all parts, or none and answers the places of those whose condition did not hold.
    pub(super) async fn transact(&self, parts: Vec<TransactWriteItem>) -> PortResult<Vec<usize>> {
        let mut tries = 1;
        loop {
            let call = self.client.transact_write_items().set_transact_items(Some(parts.clone()));
            let Err(error) = call.send().await else { return Ok(Vec::new()) };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                _ => return Err(port_error("writing rows together", error)),
            };
            let refused = refused_parts(reasons);
            if !refused.is_empty() {
                return Ok(refused);
            }
            if !reasons.iter().all(passes) {
                return Err(port_error("writing rows together", error));
            }
            if tries >= TRIES {
                return Err(PortError::transient("writing rows together", error));
            }
            tokio::time::sleep(Duration::from_millis(20 << tries)).await;
            tries += 1;
        }
    }

    pub(super) fn put_part(&self, item: Item) -> PortResult<TransactWriteItem> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)").build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Writes the row whatever is there.
    pub(super) fn overwrite_part(&self, item: Item) -> PortResult<TransactWriteItem> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    pub(super) fn delete_part(&self, key: Key, must_exist: bool) -> PortResult<TransactWriteItem> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let condition = must_exist.then(|| "attribute_exists(pk)".to_owned());
        let delete = delete.set_condition_expression(condition).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// The account must exist, and not be about to be deleted.
    pub(super) fn account_part(&self, account: &AccountId) -> PortResult<TransactWriteItem> {
        let check = ConditionCheck::builder().table_name(&self.table).set_key(Some(as_item(keys::account(account))));
        let check = check.condition_expression("attribute_exists(pk) AND attribute_not_exists(deletion)");
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(build_error)?).build())
    }

    /// Takes a name for `id`, unless another has it.
    pub(super) fn take_name_part(&self, key: Key, id: &str) -> PortResult<TransactWriteItem> {
        self.put_part(to_item(key, &NameRow { id: id.to_owned() })?)
    }

    /// Counts one more of its kind in the account's row, unless it has `most` or is about to be deleted.
    pub(super) fn count_up_part(&self, account: &AccountId, what: Counted, most: u32) -> PortResult<TransactWriteItem> {
        let update = self.account_update(account).update_expression("ADD #counted :one");
        let update = update
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(deletion) AND (attribute_not_exists(#counted) OR #counted < :most)");
        let update = update.expression_attribute_names("#counted", what.attribute());
        let update = update.expression_attribute_values(":one", AttributeValue::N("1".into()));
        let update = update.expression_attribute_values(":most", AttributeValue::N(most.to_string()));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }

    /// After the account's count was refused: fine when the account is there, for then it has as many as it may.
    pub(super) async fn limit_reached(&self, account: &AccountId) -> PortResult<()> {
        match self.find_account(account).await? {
            Some(_) => Ok(()),
            None => Err(PortError::permanent("counting in an account", "the account is not registered")),
        }
    }

    /// Counts one less of its kind in the account's row.
    pub(super) fn count_down_part(&self, account: &AccountId, what: Counted) -> PortResult<TransactWriteItem> {
        let update = self.account_update(account).update_expression("ADD #counted :less");
        let update = update.condition_expression("attribute_exists(pk)");
        let update = update.expression_attribute_names("#counted", what.attribute());
        let update = update.expression_attribute_values(":less", AttributeValue::N("-1".into()));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }

    fn account_update(&self, account: &AccountId) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder().table_name(&self.table).set_key(Some(as_item(keys::account(account))))
    }
}

/// Whether trying again helps: another transaction was at work on this row, or the table was busy.
fn passes(reason: &CancellationReason) -> bool {
    let passing = ["None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    reason.code().is_none_or(|code| passing.contains(&code))
}

/// Which parts had their condition refused, by place.
fn refused_parts(reasons: &[CancellationReason]) -> Vec<usize> {
    let refused =
        |(n, reason): (usize, &CancellationReason)| (reason.code() == Some("ConditionalCheckFailed")).then_some(n);
    reasons.iter().enumerate().filter_map(refused).collect()
}
