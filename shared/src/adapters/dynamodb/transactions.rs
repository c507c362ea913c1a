//! Writes that happen together or not at all.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};

use super::super::aws::{build_error, port_error};
use super::keys::{self, Key};
use super::{DynamoStore, Item, as_item};
use crate::domain::id::AccountId;
use crate::ports::{PortError, PortResult};

impl DynamoStore {
    pub(super) fn put_part(&self, item: Item) -> PortResult<TransactWriteItem> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)").build().map_err(build_error)?;
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

    /// Writes all of it or nothing; answers which parts had their condition refused.
    pub(super) async fn write_together(&self, parts: Vec<TransactWriteItem>) -> PortResult<Vec<usize>> {
        let call = self.client.transact_write_items().set_transact_items(Some(parts));
        match call.send().await {
            Ok(_) => Ok(Vec::new()),
            Err(error) => transaction_refusal(error),
        }
    }
}

/// Which parts of a transaction had their condition refused, by place; `None` when it failed for another reason.
fn refused_parts(reasons: &[aws_sdk_dynamodb::types::CancellationReason]) -> Option<Vec<usize>> {
    let known = |code: &str| matches!(code, "None" | "ConditionalCheckFailed");
    if !reasons.iter().all(|reason| known(reason.code().unwrap_or("None"))) {
        return None;
    }
    let refused = |(n, reason): (usize, &aws_sdk_dynamodb::types::CancellationReason)| {
        (reason.code() == Some("ConditionalCheckFailed")).then_some(n)
    };
    Some(reasons.iter().enumerate().filter_map(refused).collect())
}

/// A transaction's error, or the places of the parts whose condition was refused.
pub(super) fn transaction_refusal(
    error: SdkError<
        aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError,
        aws_sdk_dynamodb::config::http::HttpResponse,
    >,
) -> PortResult<Vec<usize>> {
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException;
    let parts = match error.as_service_error() {
        Some(TransactionCanceledException(cancelled)) => refused_parts(cancelled.cancellation_reasons()),
        _ => None,
    };
    match parts {
        Some(parts) => Ok(parts),
        None if error.code() == Some("TransactionCanceledException") => {
            Err(PortError::transient("writing rows together", error))
        }
        None => Err(port_error("writing rows together", error)),
    }
}
