//! Notes of rejected events: a row each, in the partition of the day when the message was sent, and the text in a row
//! of its own. So lists read no texts, and texts do not use up the 1,000 write units a second of a day's partition.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::ReturnValue;
use domain::event::{RejectedEvent, RejectionCode, Resubmission};
use domain::value::{AccountId, Day, RejectedEventId, Timestamp};
use ports::{PortError, PortResult, Rejections, Span};
use serde::{Deserialize, Serialize};

use super::keys::Key;
use super::newest::Newest;
use super::rows::to_item;
use super::{DynamoStore, Written, as_item, keys};
use crate::aws::port_error;

#[derive(Serialize, Deserialize)]
struct RejectionRow {
    id: RejectedEventId,
    code: RejectionCode,
    pointer: String,
    detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
    rejected_at: Timestamp,
    body_bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resubmission: Option<Resubmission>,
    expires_at: u64,
}

/// The part of the text that is kept.
#[derive(Serialize, Deserialize)]
struct BodyRow<'a> {
    body: std::borrow::Cow<'a, str>,
    expires_at: u64,
}

impl From<&RejectedEvent> for RejectionRow {
    fn from(rejected: &RejectedEvent) -> Self {
        Self {
            id: rejected.id.clone(),
            code: rejected.code,
            pointer: rejected.pointer.clone(),
            detail: rejected.detail.clone(),
            account: rejected.account.clone(),
            rejected_at: rejected.rejected_at,
            body_bytes: rejected.body_bytes,
            resubmission: rejected.resubmission.clone(),
            expires_at: rejected.expires_at.unix_seconds(),
        }
    }
}

impl From<RejectionRow> for RejectedEvent {
    fn from(row: RejectionRow) -> Self {
        Self {
            id: row.id,
            code: row.code,
            pointer: row.pointer,
            detail: row.detail,
            account: row.account,
            rejected_at: row.rejected_at,
            body_bytes: row.body_bytes,
            resubmission: row.resubmission,
            expires_at: Timestamp::from_unix_ms(row.expires_at * 1000),
        }
    }
}

#[async_trait]
impl Rejections for DynamoStore {
    /// The text is written first, so that every listed row has one.
    async fn note_rejection(&self, rejected: &RejectedEvent, body: &str) -> PortResult<()> {
        let row = BodyRow { body: body.into(), expires_at: rejected.expires_at.unix_seconds() };
        self.put(to_item(keys::rejected_body(&rejected.id), &row)?).await?;
        match self.put_new(to_item(keys::rejected_event(&rejected.id), &RejectionRow::from(rejected))?).await? {
            Written::Written | Written::Refused(_) => Ok(()),
        }
    }

    async fn find_rejection(&self, id: &RejectedEventId) -> PortResult<Option<RejectedEvent>> {
        self.get::<RejectionRow, _>(keys::rejected_event(id)).await
    }

    async fn find_rejected_body(&self, id: &RejectedEventId) -> PortResult<Option<String>> {
        let row = self.get::<BodyRow<'static>, BodyRow<'static>>(keys::rejected_body(id)).await?;
        Ok(row.map(|row| row.body.into_owned()))
    }

    async fn list_rejections(
        &self,
        span: Span,
        after: Option<&RejectedEventId>,
        limit: usize,
    ) -> PortResult<Vec<RejectedEvent>> {
        let (from, until) = (RejectedEventId::first_possible(span.since), RejectedEventId::first_possible(span.until));
        let after = after.filter(|id| id.as_str() < until.as_str());
        let mut day = Day::of(after.map_or(span.until, RejectedEventId::sent_at));
        let (first, mut found) = (Day::of(span.since), Vec::new());
        while day >= first && found.len() < limit {
            let (to, start) = match after.filter(|id| Day::of(id.sent_at()) == day) {
                Some(id) => (id.to_string(), Some(as_item(keys::rejected_event(id)))),
                None => (until.clone(), None),
            };
            let rows: Vec<RejectedEvent> = self
                .query_newest::<RejectionRow, _>(Newest {
                    index: None,
                    names: ["pk", "sk"],
                    pk: keys::rejected_pk(day),
                    from: from.clone(),
                    to,
                    after: start,
                    limit: limit - found.len(),
                    only: &[],
                })
                .await?;
            found.extend(rows);
            if day == first {
                break;
            }
            day = day.before();
        }
        Ok(found)
    }

    async fn note_resubmission(&self, id: &RejectedEventId, resubmission: &Resubmission) -> PortResult<()> {
        let value = serde_dynamo::to_attribute_value(resubmission);
        let value = value.map_err(|error| PortError::permanent("writing a row", error))?;
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::rejected_event(id))));
        let call = call.update_expression("SET resubmission = :this").expression_attribute_values(":this", value);
        match call.condition_expression("attribute_exists(pk)").send().await {
            Err(error) if !matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => {
                Err(port_error("noting a resubmission", error))
            }
            _ => Ok(()),
        }
    }

    /// The text is deleted last. If the deletion breaks off, nobody finds the rest, and it expires.
    async fn delete_rejection(&self, id: &RejectedEventId) -> PortResult<bool> {
        let was_there = self.delete_rejection_row(keys::rejected_event(id)).await?;
        self.delete_rejection_row(keys::rejected_body(id)).await?;
        Ok(was_there)
    }
}

impl DynamoStore {
    async fn delete_rejection_row(&self, key: Key) -> PortResult<bool> {
        let call = self.client.delete_item().table_name(&self.table).set_key(Some(as_item(key)));
        let answer = call.return_values(ReturnValue::AllOld).send().await;
        let answer = answer.map_err(|error| port_error("deleting the note of a rejected event", error))?;
        Ok(answer.attributes.is_some())
    }
}
