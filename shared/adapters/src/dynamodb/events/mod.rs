//! Sealed events and deliveries.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::value::{AccountId, DeliveryId, EventId};
use ports::{Deliveries, Events, OweMore, PortError, PortResult, Recorded, Sealed, SealedEvent};

use super::super::aws::build_error;
use super::keys;
use super::ledger_rows::{DeliveryRow, EventRow, OwedRows};
use super::rows::{from_item, to_item};
use super::{DynamoStore, Written, as_item, written};

#[async_trait]
impl Events for DynamoStore {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>> {
        let Some(row) = self.get::<EventRow>(keys::event(account, id)).await? else { return Ok(None) };
        let mut further = Vec::new();
        for key in row.further_keys() {
            let rows: Option<OwedRows> = self.get(key).await?;
            let missing = || PortError::permanent("reading an event", "a row of what it owes is missing");
            further.extend(rows.ok_or_else(missing)?.owed);
        }
        row.join(further).map(Some)
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        let (row, further) = EventRow::split(event);
        if !further.is_empty()
            && let Some(before) = self.get::<EventRow>(keys::event(&event.account, &event.id)).await?
        {
            return Ok(Sealed::Before { digest: before.digest()? });
        }
        // The further rows first: once the event's own row is there, everything it counts on is.
        for (key, owed) in row.further_keys().zip(further) {
            self.put(to_item(key, &OwedRows { owed, expires_at: row.expires_at })?).await?;
        }
        match self.put_new(to_item(keys::event(&event.account, &event.id), &row)?).await? {
            Written::Written => Ok(Sealed::Sealed),
            Written::Refused(Some(before)) => Ok(Sealed::Before { digest: from_item::<EventRow>(*before)?.digest()? }),
            Written::Refused(None) => Err(PortError::transient("sealing an event", "the row before was not returned")),
        }
    }
}

#[async_trait]
impl OweMore for DynamoStore {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery]) -> PortResult<bool> {
        let Some(row) = self.get::<EventRow>(keys::event(&known.account, &known.id)).await? else { return Ok(false) };
        let (mut rows, mut count) = (row.owed_rows, row.owed_count);
        if count != known.owed.len() {
            return Ok(false);
        }
        // A further row each, together with the event's own, which counts it.
        for further in OwedRows::of(more, row.expires_at).filter(|further| !further.owed.is_empty()) {
            let added = count + further.owed.len();
            let parts = vec![
                self.overwrite_part(to_item(keys::owed(&known.account, &known.id, rows), &further)?)?,
                self.owe_more_part(known, (rows, count), added)?,
            ];
            if !self.transact(parts).await?.is_empty() {
                return Ok(false);
            }
            (rows, count) = (rows + 1, added);
        }
        Ok(true)
    }
}

impl DynamoStore {
    /// Counts one more row of what the event owes, and `added` deliveries over all, where it has as many of both as before.
    fn owe_more_part(
        &self,
        event: &SealedEvent,
        (rows, count): (usize, usize),
        added: usize,
    ) -> PortResult<TransactWriteItem> {
        let number = |n: usize| AttributeValue::N(n.to_string());
        let key = as_item(keys::event(&event.account, &event.id));
        let update = Update::builder().table_name(&self.table).set_key(Some(key));
        let update = update.update_expression("SET owed_rows = :more, owed_count = :added REMOVE unmatched");
        let update = update.condition_expression("owed_rows = :rows AND owed_count = :count");
        let update = update.expression_attribute_values(":more", number(rows + 1));
        let update = update.expression_attribute_values(":added", number(added));
        let update = update.expression_attribute_values(":rows", number(rows));
        let update = update.expression_attribute_values(":count", number(count));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }
}

#[async_trait]
impl Deliveries for DynamoStore {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        Ok(self.get::<DeliveryRow>(keys::delivery(account, id)).await?.map(DeliveryRecord::from))
    }

    async fn record_delivery(&self, record: &DeliveryRecord) -> PortResult<Recorded> {
        let key = keys::delivery(&record.delivery.account, &record.delivery.id);
        let item = to_item(key, &DeliveryRow::from(record))?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        // The domain's rule (`DeliveryRecord::supersedes`) as a condition; the contract suite holds the two together.
        let rule = match record.state {
            DeliveryState::Delivered => "#state <> :delivered OR size(attempts) < :n",
            DeliveryState::Exhausted | DeliveryState::Cancelled => {
                "#state IN (:retrying, :parked) AND size(attempts) <= :n"
            }
            DeliveryState::Parked => {
                "(#state = :retrying AND size(attempts) <= :n) OR (#state = :parked AND size(attempts) < :n)"
            }
            DeliveryState::Retrying { .. } => "#state IN (:retrying, :parked) AND size(attempts) < :n",
        };
        let call = call.condition_expression(format!("attribute_not_exists(pk) OR ({rule})"));
        let call = call.expression_attribute_names("#state", "state");
        let call = if record.state == DeliveryState::Delivered {
            call.expression_attribute_values(":delivered", AttributeValue::S("delivered".into()))
        } else {
            call.expression_attribute_values(":retrying", AttributeValue::S("retrying".into()))
                .expression_attribute_values(":parked", AttributeValue::S("parked".into()))
        };
        let call = call.expression_attribute_values(":n", AttributeValue::N(record.attempts.len().to_string()));
        Ok(match written(call.send().await.map(|_| ()))? {
            Written::Written => Recorded::Recorded,
            Written::Refused(_) => Recorded::Superseded,
        })
    }
    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        let key = keys::delivery(&after.delivery.account, &after.delivery.id);
        let call = self.client.put_item().table_name(&self.table);
        let call = call.set_item(Some(to_item(key, &DeliveryRow::from(after))?));
        let rule = "#state = :state AND size(attempts) = :n AND ";
        let call = match before.look_at {
            None => call.condition_expression(format!("{rule}attribute_not_exists(look_at)")),
            Some(look_at) => call
                .condition_expression(format!("{rule}look_at = :look_at"))
                .expression_attribute_values(":look_at", AttributeValue::S(look_at.to_string())),
        };
        let call = call.expression_attribute_names("#state", "state");
        let call = call.expression_attribute_values(":state", AttributeValue::S(before.state.as_str().into()));
        let call = call.expression_attribute_values(":n", AttributeValue::N(before.attempts.len().to_string()));
        Ok(matches!(written(call.send().await.map(|_| ()))?, Written::Written))
    }
}
