//! The ledger's lists in memory.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DestinationId, Timestamp};
use ports::{EventPlace, ListDeliveries, ListEvents, ListedEvent, OlderThan, PortResult, SealedEvent, Span};

use super::{MemoryStore, Rows};

fn listed(event: &SealedEvent) -> ListedEvent {
    ListedEvent {
        place: EventPlace { occurred_at: event.occurred_at, id: event.id.clone() },
        event_type: event.event_type,
        scope: event.scope.clone(),
        sealed_at: event.sealed_at,
        owed_count: event.owed.len(),
        unmatched: event.unmatched,
        expires_at: event.expires_at,
    }
}

#[async_trait]
impl ListEvents for MemoryStore {
    async fn list_events(
        &self,
        account: &AccountId,
        span: Span,
        after: Option<&EventPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedEvent>> {
        let rows = self.call("list_events")?;
        let mine = rows.events.values().filter(|event| event.account == *account).map(listed);
        let within = |event: &ListedEvent| {
            let place = &event.place;
            (span.since..span.until).contains(&place.occurred_at) && after.is_none_or(|after| place < after)
        };
        let mut found: Vec<_> = mine.filter(within).collect();
        found.sort_by(|one, other| other.place.cmp(&one.place));
        found.truncate(limit);
        Ok(found)
    }
}

#[async_trait]
impl ListDeliveries for MemoryStore {
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>> {
        Ok(self.call("list_deliveries")?.newest(account, destination, since, older, limit))
    }
}

impl Rows {
    /// Deliveries of one destination, newest first.
    pub(super) fn newest(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> Vec<DeliveryRecord> {
        let within = |record: &&DeliveryRecord| {
            let delivery = &record.delivery;
            let older = match older {
                OlderThan::Time(time) => delivery.id.occurred_at() < *time,
                OlderThan::Delivery(id) => delivery.id < *id,
            };
            delivery.account == *account
                && delivery.destination == *destination
                && delivery.id.occurred_at() >= since
                && older
        };
        // An account's are in the order of their ids, which is that of time for each destination.
        self.deliveries.values().rev().filter(within).take(limit).cloned().collect()
    }
}
