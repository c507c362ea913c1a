//! Sealed events in memory.

use async_trait::async_trait;
use domain::delivery::Delivery;
use domain::value::{AccountId, EventId};
use ports::{EventPlace, Events, ListEvents, ListedEvent, OweMore, PortResult, Sealed, SealedEvent, Span};

use super::MemoryStore;

#[async_trait]
impl Events for MemoryStore {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>> {
        let rows = self.call("find_event")?;
        rows.readable([id])?;
        Ok(rows.events.get(&(account.clone(), id.clone())).cloned())
    }

    async fn find_body(&self, account: &AccountId, id: &EventId) -> PortResult<Option<String>> {
        let rows = self.call("find_body")?;
        rows.readable([id])?;
        Ok(rows.events.get(&(account.clone(), id.clone())).map(|event| event.body.clone()))
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        let mut rows = self.call("seal_event")?;
        let key = (event.account.clone(), event.id.clone());
        if let Some(before) = rows.events.get(&key) {
            return Ok(Sealed::Before { digest: before.digest });
        }
        rows.events.insert(key, event.clone());
        Ok(Sealed::Sealed)
    }
}

#[async_trait]
impl OweMore for MemoryStore {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery]) -> PortResult<bool> {
        let mut rows = self.call("add_owed")?;
        let stored = rows.events.get_mut(&(known.account.clone(), known.id.clone()));
        let Some(stored) = stored.filter(|stored| stored.owed.len() == known.owed.len()) else { return Ok(false) };
        if !more.is_empty() {
            stored.owed.extend_from_slice(more);
            stored.unmatched = None;
        }
        Ok(true)
    }
}

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
