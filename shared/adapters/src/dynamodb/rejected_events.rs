//! Notes of rejected events: a row each, in the partition of the day when the message was sent, and the text in a row
//! of its own. So lists read no texts, and texts do not use up the 1,000 write units a second of a day's partition.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::ReturnValue;
use domain::event::{RejectedEvent, RejectionCode, Resubmission};
use domain::value::{AccountId, Day, RejectedEventId, Timestamp};
use ports::{Order, PortError, PortResult, Rejections, Span};
use serde::{Deserialize, Serialize};

use super::keys::Key;
use super::rows::to_item;
use super::stretch::Stretch;
use super::{DynamoStore, Reads, Written, as_item, keys};
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
        order: Order,
        after: Option<&RejectedEventId>,
        limit: usize,
    ) -> PortResult<Vec<RejectedEvent>> {
        if span.since >= span.until {
            return Ok(Vec::new());
        }
        let (first, last) = (Day::of(span.since), Day::of(span.until));
        let (begin, end) = match order {
            Order::NewestFirst => (last, first),
            Order::OldestFirst => (first, last),
        };
        // A position before the whole span has no effect.
        let mut day = after.map_or(begin, |id| Day::of(id.sent_at()).clamp(first, last));
        let mut found = Vec::new();
        loop {
            found.extend(self.rejections_of(day, span, order, after, limit - found.len()).await?);
            if day == end || found.len() >= limit {
                return Ok(found);
            }
            day = if order == Order::NewestFirst { day.before() } else { day.after() };
        }
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

    /// The text is deleted last. If the deletion is interrupted, nothing refers to the text any more, and it expires.
    async fn delete_rejection(&self, id: &RejectedEventId) -> PortResult<bool> {
        let was_there = self.delete_rejection_row(keys::rejected_event(id)).await?;
        self.delete_rejection_row(keys::rejected_body(id)).await?;
        Ok(was_there)
    }
}

impl DynamoStore {
    /// The events of a day that were sent within the span, and come after `after` if that is of this day.
    async fn rejections_of(
        &self,
        day: Day,
        span: Span,
        order: Order,
        after: Option<&RejectedEventId>,
        limit: usize,
    ) -> PortResult<Vec<RejectedEvent>> {
        let all = [span.since, span.until].map(RejectedEventId::first_possible);
        let all = Stretch::of_rows(Reads::Cheaply, keys::rejected_pk(day), all, order, limit);
        let rest = all.after_row(after.filter(|id| Day::of(id.sent_at()) == day).map(keys::rejected_event));
        self.query_stretch::<RejectionRow, _>(rest).await
    }

    async fn delete_rejection_row(&self, key: Key) -> PortResult<bool> {
        let call = self.client.delete_item().table_name(&self.table).set_key(Some(as_item(key)));
        let answer = call.return_values(ReturnValue::AllOld).send().await;
        let answer = answer.map_err(|error| port_error("deleting the note of a rejected event", error))?;
        Ok(answer.attributes.is_some())
    }
}
