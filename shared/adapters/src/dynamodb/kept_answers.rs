//! Requests with an idempotency key: a row each, created by a conditional write. The encrypted answer is added to it
//! later. The vault ([`crate::kms`]) encrypts it; this file has only the row.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::attempt::SealedSecret;
use domain::value::Timestamp;
use ports::{KeyedRequest, PortError, PortResult, RequestKey};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rows::{read, to_item};
use super::{DynamoStore, Written, as_item, keys, written};
use crate::aws::port_error;

#[derive(Serialize, Deserialize)]
struct AnswerRow {
    /// The digest of the request. `request` is a reserved word.
    asked: ByteBuf,
    holder: ByteBuf,
    until_ms: u64,
    expires_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<ByteBuf>,
}

/// What is stored of a request that was begun before.
pub(crate) struct Before {
    pub(crate) same: bool,
    pub(crate) answer: Option<SealedSecret>,
}

/// A request may be begun if it never was, if it has expired, or if the same request was begun and never ended.
const TO_BE_BEGUN: &str = "attribute_not_exists(pk) OR expires_at <= :now \
    OR (attribute_not_exists(sealed) AND until_ms <= :now_ms AND asked = :asked)";

impl DynamoStore {
    /// `None` if the request is begun now.
    pub(crate) async fn begin(
        &self,
        key: &RequestKey,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> PortResult<Option<Before>> {
        let row = AnswerRow {
            asked: ByteBuf::from(request.digest),
            holder: ByteBuf::from(request.holder),
            until_ms: request.until.unix_ms(),
            expires_at: request.expires_at.unix_seconds(),
            data_key: None,
            sealed: None,
        };
        let call = self.client.put_item().table_name(&self.table);
        let call = call.set_item(Some(to_item(keys::kept_answer(key), &row)?)).condition_expression(TO_BE_BEGUN);
        let call = call.expression_attribute_values(":now", AttributeValue::N(now.unix_seconds().to_string()));
        let call = call.expression_attribute_values(":now_ms", AttributeValue::N(now.unix_ms().to_string()));
        let call = call.expression_attribute_values(":asked", AttributeValue::B(Blob::new(request.digest)));
        let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let before = match written(call.send().await.map(drop))? {
            Written::Written => return Ok(None),
            Written::Refused(Some(before)) => read::<AnswerRow, AnswerRow>(*before)?,
            Written::Refused(None) => {
                return Err(PortError::transient("beginning a request", "the existing row was not returned"));
            }
        };
        let answer = before.data_key.zip(before.sealed);
        let answer = answer.map(|(key_id, sealed)| SealedSecret { key_id, sealed: sealed.into_vec() });
        Ok(Some(Before { same: before.asked.as_slice() == request.digest, answer }))
    }

    pub(crate) async fn keep(&self, key: &RequestKey, holder: [u8; 16], answer: SealedSecret) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::kept_answer(key))));
        let call = call.update_expression("SET data_key = :data_key, sealed = :sealed");
        let call = call.expression_attribute_values(":data_key", AttributeValue::S(answer.key_id));
        let call = call.expression_attribute_values(":sealed", AttributeValue::B(Blob::new(answer.sealed)));
        let call = call.condition_expression("holder = :holder");
        let call = call.expression_attribute_values(":holder", AttributeValue::B(Blob::new(holder)));
        match call.send().await {
            Err(error)
                if !error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Err(port_error("keeping an answer", error))
            }
            _ => Ok(()),
        }
    }

    pub(crate) async fn forget(&self, key: &RequestKey, holder: [u8; 16]) -> PortResult<()> {
        let call = self.client.delete_item().table_name(&self.table).set_key(Some(as_item(keys::kept_answer(key))));
        let call = call.condition_expression("holder = :holder");
        let call = call.expression_attribute_values(":holder", AttributeValue::B(Blob::new(holder)));
        match call.send().await {
            Err(error)
                if !error.as_service_error().is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Err(port_error("forgetting a request", error))
            }
            _ => Ok(()),
        }
    }
}
