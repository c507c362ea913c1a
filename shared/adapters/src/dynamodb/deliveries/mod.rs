//! Deliveries: a row each. They are listed by sort key, which begins with the time of the event, so no index is needed.
//! Lists are not consistent.

mod row;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Deliveries, ListDeliveries, OlderThan, PortResult, Recorded};

pub(super) use self::row::DeliveryRow;
use super::newest::Newest;
use super::rows::to_item;
use super::{DynamoStore, Written, as_item, keys, written};

#[async_trait]
impl Deliveries for DynamoStore {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        self.get::<DeliveryRow, _>(keys::delivery(account, id)).await
    }

    async fn record_delivery(&self, record: &DeliveryRecord) -> PortResult<Recorded> {
        let key = keys::delivery(&record.delivery.account, &record.delivery.id);
        let item = to_item(key, &DeliveryRow::from(record))?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        // The domain's rule (`DeliveryRecord::supersedes`) as a condition; the contract suite checks that both agree.
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

impl Newest {
    /// Deliveries of one destination.
    pub(in crate::dynamodb) fn deliveries(
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> Self {
        let sk = |id: &str| format!("{}{id}", keys::DELIVERIES);
        let (to, after) = match older {
            OlderThan::Time(time) => (sk(&DeliveryId::first_possible(destination, *time)), None),
            OlderThan::Delivery(id) => (sk(id.as_str()), Some(as_item(keys::delivery(account, id)))),
        };
        let (pk, from) =
            (keys::deliveries_pk(account, destination), sk(&DeliveryId::first_possible(destination, since)));
        Self { index: None, names: ["pk", "sk"], pk, from, to, after, limit, only: &[] }
    }
}

#[async_trait]
impl ListDeliveries for DynamoStore {
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>> {
        self.query_newest::<DeliveryRow, _>(Newest::deliveries(account, destination, since, older, limit)).await
    }
}
