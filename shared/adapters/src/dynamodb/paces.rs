//! The turns handed out at destinations with a rate limit: a row each, and one write for each block of turns.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::destination::Pace;
use domain::value::{AccountId, DestinationId};
use ports::{Paces, PortResult};
use serde::{Deserialize, Serialize};

use super::rows::{read, to_item};
use super::{DynamoStore, keys};
use crate::aws::port_error;

/// How long a row is kept after its last turn, in seconds: a day.
const KEPT: u64 = 86_400;

#[derive(Serialize, Deserialize)]
struct PaceRow {
    free_from: u64,
    line_until: u64,
    expires_at: u64,
}

impl From<PaceRow> for Pace {
    fn from(row: PaceRow) -> Self {
        Self { free_from: row.free_from, line_until: row.line_until }
    }
}

#[async_trait]
impl Paces for DynamoStore {
    async fn store_pace(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        before: Pace,
        after: Pace,
    ) -> PortResult<Option<Pace>> {
        let Pace { free_from, line_until } = after;
        let row = PaceRow { free_from, line_until, expires_at: free_from.max(line_until) / 1_000_000 + KEPT };
        let call = self.client.put_item().table_name(&self.table);
        let call = call.set_item(Some(to_item(keys::pace(account, destination), &row)?));
        let same = "free_from = :free AND line_until = :line";
        let number = |value: u64| AttributeValue::N(value.to_string());
        let call = call
            .condition_expression(if before == Pace::default() {
                format!("attribute_not_exists(pk) OR ({same})")
            } else {
                same.to_owned()
            })
            .expression_attribute_values(":free", number(before.free_from))
            .expression_attribute_values(":line", number(before.line_until));
        let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                // If there is no row, nothing is stored.
                Some(ConditionalCheckFailedException(refused)) => {
                    let stored = refused.item().cloned().map(read::<PaceRow, Pace>).transpose()?;
                    Ok(Some(stored.unwrap_or_default()))
                }
                _ => Err(port_error("handing out turns", error)),
            },
        }
    }
}
