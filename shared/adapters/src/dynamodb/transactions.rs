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

/// How often a transaction that conflicts with another one is tried.
const TRIES: u32 = 6;

/// The row of a name that is in use.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct NameRow {
    pub(super) id: String,
}

/// A change of a number in an account's row. After an increase it must be at most `most`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    pub(super) of: &'static str,
    pub(super) by: i64,
    pub(super) most: i64,
}

impl DynamoStore {
    /// Writes all parts. If conditions are not met, writes none and returns the positions of those parts.
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

    /// Writes the row, whether or not it exists.
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

    /// Checks that the account exists and is not being deleted.
    pub(super) fn account_part(&self, account: &AccountId) -> PortResult<TransactWriteItem> {
        let check = ConditionCheck::builder().table_name(&self.table).set_key(Some(as_item(keys::account(account))));
        let check = check.condition_expression("attribute_exists(pk) AND attribute_not_exists(deletion)");
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(build_error)?).build())
    }

    /// Takes a name for `id`, unless it is in use.
    pub(super) fn take_name_part(&self, key: Key, id: &str) -> PortResult<TransactWriteItem> {
        self.put_part(to_item(key, &NameRow { id: id.to_owned() })?)
    }

    /// Changes numbers in the account's row. They cannot be increased while the account is being deleted.
    pub(super) fn count_part(&self, account: &AccountId, counts: &[Count]) -> PortResult<TransactWriteItem> {
        let mut update = Update::builder().table_name(&self.table).set_key(Some(as_item(keys::account(account))));
        let (mut adding, mut condition) = (Vec::new(), "attribute_exists(pk)".to_owned());
        if counts.iter().any(|count| count.by > 0) {
            condition += " AND attribute_not_exists(deletion)";
        }
        for Count { of, by, most } in counts {
            adding.push(format!("{of} :{of}_by"));
            update = update.expression_attribute_values(format!(":{of}_by"), AttributeValue::N(by.to_string()));
            if *by > 0 {
                condition += &format!(" AND (attribute_not_exists({of}) OR {of} <= :{of}_room)");
                let room = AttributeValue::N((most - by).to_string());
                update = update.expression_attribute_values(format!(":{of}_room"), room);
            }
        }
        let update = update.update_expression(format!("ADD {}", adding.join(", "))).condition_expression(condition);
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }

    /// Called after the number in the account's row could not be increased. Returns an error if the account does not
    /// exist; otherwise it has reached its maximum.
    pub(super) async fn limit_reached(&self, account: &AccountId) -> PortResult<()> {
        match self.find_account(account).await? {
            Some(_) => Ok(()),
            None => Err(PortError::permanent("counting in an account", "the account is not registered")),
        }
    }
}

/// Whether trying again helps: another transaction was using this row, or the table was throttled.
fn passes(reason: &CancellationReason) -> bool {
    let passing = ["None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    reason.code().is_none_or(|code| passing.contains(&code))
}

/// The positions of the parts whose conditions were not met.
fn refused_parts(reasons: &[CancellationReason]) -> Vec<usize> {
    let refused =
        |(n, reason): (usize, &CancellationReason)| (reason.code() == Some("ConditionalCheckFailed")).then_some(n);
    reasons.iter().enumerate().filter_map(refused).collect()
}
