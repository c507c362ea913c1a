//! Deliveries: a row each. They are listed by sort key, which begins with the time of the event, so no index is needed.
//! Lists are not consistent.

mod row;

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::value::{AccountId, DeliveryId, DestinationId};
use ports::{Deliveries, ListDeliveries, Order, PortResult, Span};

pub(super) use self::row::DeliveryRow;
use super::bulk::{BATCH, Fields};
use super::rows::{read, to_item};
use super::stretch::Stretch;
use super::{DynamoStore, Reads, Written, keys, written};

/// Read consistently, like single rows.
const WHOLE: Fields = Fields { expression: None, state: None, consistent: true };

#[async_trait]
impl Deliveries for DynamoStore {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        self.get::<DeliveryRow, _>(keys::delivery(account, id)).await
    }

    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>> {
        let rows: Vec<_> = ids.iter().map(|(account, id)| keys::delivery(account, id)).collect();
        let mut found = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            let items = self.get_at_once(batch, WHOLE).await?;
            found.extend(items.into_iter().filter_map(|item| read::<DeliveryRow, _>(item).ok()));
        }
        Ok(found)
    }

    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool> {
        let key = keys::delivery(&record.delivery.account, &record.delivery.id);
        let written = self.inserts.ask(to_item(key, &DeliveryRow::from(record))?).await?;
        Ok(matches!(written, Written::Written))
    }

    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        let key = keys::delivery(&after.delivery.account, &after.delivery.id);
        let call =
            self.client.put_item().table_name(&self.table).set_item(Some(to_item(key, &DeliveryRow::from(after))?));
        let (rule, values) = unchanged(before);
        let call = call.condition_expression(rule).expression_attribute_names("#state", "state");
        let call = call.set_expression_attribute_values(Some(values));
        Ok(matches!(written(call.send().await.map(|_| ()))?, Written::Written))
    }
}

/// The condition that the row is still as in `before`. A row from before it was noted when `redrive` looks at a delivery
/// lacks that.
fn unchanged(before: &DeliveryRecord) -> (String, HashMap<String, AttributeValue>) {
    let number = |n: u32| AttributeValue::N(n.to_string());
    let kept = u32::try_from(before.attempts.kept().len()).unwrap_or(u32::MAX);
    let mut values = HashMap::from([
        (":state".to_owned(), AttributeValue::S(before.state().as_str().into())),
        (":n".to_owned(), number(kept)),
    ]);
    let looked_at = match before.look_at() {
        None => "attribute_not_exists(look_at)",
        Some(look_at) => {
            values.insert(":look_at".to_owned(), AttributeValue::S(look_at.to_string()));
            match before.state() {
                DeliveryState::Retrying { .. } => "(look_at = :look_at OR attribute_not_exists(look_at))",
                _ => "look_at = :look_at",
            }
        }
    };
    let left_out = match before.attempts.left_out().attempts {
        0 => "attribute_not_exists(left_out)",
        left_out => {
            values.insert(":left_out".to_owned(), number(left_out));
            "left_out.attempts = :left_out"
        }
    };
    (format!("#state = :state AND size(attempts) = :n AND {left_out} AND {looked_at}"), values)
}

impl Stretch {
    /// Deliveries of one destination.
    pub(in crate::dynamodb) fn deliveries(
        account: &AccountId,
        destination: &DestinationId,
        span: Span,
        order: Order,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Self {
        let bound = |time| format!("{}{}", keys::DELIVERIES, DeliveryId::first_possible(destination, time));
        let (pk, all) = (keys::deliveries_pk(account, destination), [bound(span.since), bound(span.until)]);
        Self::of_rows(Reads::Cheaply, pk, all, order, limit).after_row(after.map(|id| keys::delivery(account, id)))
    }
}

#[async_trait]
impl ListDeliveries for DynamoStore {
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        span: Span,
        order: Order,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>> {
        let wanted = Stretch::deliveries(account, destination, span, order, after, limit);
        self.query_stretch::<DeliveryRow, _>(wanted).await
    }
}
