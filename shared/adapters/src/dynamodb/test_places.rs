//! Places for running tests: a row each in the account's partition, taken by a conditional write. Places are tried one
//! after another, so for an account with few tests, a test costs one write to take a place and one to leave it.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::value::{AccountId, Timestamp};
use ports::{PortError, PortResult, TakenPlace, TestPlace, TestPlaces};
use serde::{Deserialize, Serialize};

use super::rows::{read, to_item};
use super::{DynamoStore, Written, as_item, keys, written};
use crate::aws::port_error;

#[derive(Serialize, Deserialize)]
struct PlaceRow {
    until: Timestamp,
    /// The same in milliseconds, for comparisons.
    until_ms: u64,
    expires_at: u64,
}

#[async_trait]
impl TestPlaces for DynamoStore {
    async fn take_test_place(
        &self,
        account: &AccountId,
        now: Timestamp,
        until: Timestamp,
        places: u8,
    ) -> PortResult<TakenPlace> {
        let row = PlaceRow { until, until_ms: until.unix_ms(), expires_at: until.unix_seconds() + 1 };
        let mut free_at = until;
        for number in 0..places {
            let call = self.client.put_item().table_name(&self.table);
            let call = call.set_item(Some(to_item(keys::test_place(account, number), &row)?));
            let call = call.condition_expression("attribute_not_exists(pk) OR until_ms <= :now");
            let call = call.expression_attribute_values(":now", AttributeValue::N(now.unix_ms().to_string()));
            let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match written(call.send().await.map(drop))? {
                Written::Written => return Ok(TakenPlace::Taken(TestPlace { number, until })),
                Written::Refused(Some(taken)) => free_at = free_at.min(read::<PlaceRow, PlaceRow>(*taken)?.until),
                Written::Refused(None) => {
                    return Err(PortError::transient("taking a place", "the existing row was not returned"));
                }
            }
        }
        Ok(TakenPlace::None { free_at })
    }

    async fn leave_test_place(&self, account: &AccountId, place: TestPlace) -> PortResult<()> {
        let call = self.client.delete_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::test_place(account, place.number))));
        let call = call.condition_expression("until_ms = :until");
        let call = call.expression_attribute_values(":until", AttributeValue::N(place.until.unix_ms().to_string()));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(port_error("leaving a place", error)),
        }
    }
}
