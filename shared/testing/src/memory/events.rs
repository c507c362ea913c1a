//! Sealed events in memory.

use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Delivery, RollUp, Sending};
use domain::value::{AccountId, EventId, Timestamp};
use ports::{
    EventPlace, Events, ListEvents, ListedEvent, Order, OweMore, PortResult, Seal, Sealed, SealedEvent, Span,
    WideEvents, read_units,
};

use super::{MemoryStore, Rows};

#[async_trait]
impl Events for MemoryStore {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>> {
        let rows = self.call("find_event")?;
        rows.readable([id])?;
        Ok(rows.events.get(&(account.clone(), id.clone())).cloned())
    }

    async fn find_event_with(
        &self,
        account: &AccountId,
        id: &EventId,
        most: usize,
    ) -> PortResult<Option<(SealedEvent, usize)>> {
        let rows = self.call("find_event_with")?;
        rows.readable([id])?;
        let event = rows.events.get(&(account.clone(), id.clone()));
        Ok(event.map(|event| {
            // A unit for the row, the units of the body, and one for about 60 deliveries.
            read_units::add((1 + event.body.len() / 4_096) as f64);
            let owed: Vec<_> = event.owed.iter().take(most.min(read_units::left_for(1) * 60)).cloned().collect();
            read_units::add((owed.len() / 60) as f64);
            (SealedEvent { owed, ..event.clone() }, event.owed.len())
        }))
    }

    async fn find_body(&self, account: &AccountId, id: &EventId) -> PortResult<Option<String>> {
        let rows = self.call("find_body")?;
        rows.readable([id])?;
        Ok(rows.events.get(&(account.clone(), id.clone())).map(|event| event.body.clone()))
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        Ok(self.call("seal_event")?.seal(event, None))
    }
}

impl Rows {
    fn seal(&mut self, event: &SealedEvent, planned: Option<usize>) -> Sealed {
        let key = (event.account.clone(), event.id.clone());
        if let Some(before) = self.events.get(&key) {
            return Sealed::Before { digest: before.digest };
        }
        self.plans.extend(planned.map(|planned| (key.clone(), planned)));
        let times = self.event_times.entry(event.account.clone()).or_default();
        times.entry(event.occurred_at).or_default().insert(event.id.clone());
        self.events.insert(key, event.clone());
        Sealed::Sealed
    }
}

#[async_trait]
impl WideEvents for MemoryStore {
    async fn find_seal(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Seal>> {
        let rows = self.call("find_seal")?;
        rows.readable([id])?;
        let key = (account.clone(), id.clone());
        let planned = rows.plans.get(&key).copied();
        Ok(rows.events.get(&key).map(|event| Seal { digest: event.digest, planned }))
    }

    async fn seal_plan(&self, event: &SealedEvent) -> PortResult<Sealed> {
        Ok(self.call("seal_plan")?.seal(event, Some(event.owed.len())))
    }

    async fn find_sending(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Sending>> {
        Ok(self.call("find_sending")?.sendings.get(&(account.clone(), id.clone())).cloned())
    }

    async fn note_sending(
        &self,
        account: &AccountId,
        id: &EventId,
        before: Option<&Sending>,
        after: &Sending,
        _expires_at: Timestamp,
    ) -> PortResult<bool> {
        let mut rows = self.call("note_sending")?;
        let key = (account.clone(), id.clone());
        if rows.sendings.get(&key) != before {
            return Ok(false);
        }
        rows.sendings.insert(key, after.clone());
        Ok(true)
    }
}

#[async_trait]
impl OweMore for MemoryStore {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery], now: Timestamp) -> PortResult<bool> {
        let mut rows = self.call("add_owed")?;
        let stored = rows.events.get_mut(&(known.account.clone(), known.id.clone()));
        let Some(stored) = stored.filter(|stored| stored.owed.len() == known.owed.len()) else { return Ok(false) };
        if !more.is_empty() {
            stored.owed.extend_from_slice(more);
            stored.unmatched = None;
        }
        for added in more {
            let held = rows.roll_ups.get_mut(&(added.account.clone(), added.destination.clone()));
            if let Some((roll_up, _)) = held
                && let Some(held) = roll_up.held(RollUp::hold_at(now))
            {
                *roll_up = held;
            }
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
        order: Order,
        after: Option<&EventPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedEvent>> {
        let rows = self.call("list_events")?;
        let found: Vec<_> = match (order, after) {
            (Order::NewestFirst, None) => rows.events_within(account, span).rev().take(limit).collect(),
            (Order::OldestFirst, None) => rows.events_within(account, span).take(limit).collect(),
            (Order::NewestFirst, Some(after)) => {
                let until = span.until.min(after.occurred_at.plus(Duration::from_millis(1)));
                let rest = rows.events_within(account, Span { until, ..span }).rev();
                rest.filter(|event| event.place < *after).take(limit).collect()
            }
            (Order::OldestFirst, Some(after)) => {
                let since = span.since.max(after.occurred_at);
                let rest = rows.events_within(account, Span { since, ..span });
                rest.filter(|event| event.place > *after).take(limit).collect()
            }
        };
        read_units::add(0.125 * found.len() as f64);
        Ok(found)
    }
}

impl Rows {
    /// Oldest first.
    fn events_within(&self, account: &AccountId, span: Span) -> impl DoubleEndedIterator<Item = ListedEvent> {
        let times = self.event_times.get(account).into_iter().filter(move |_| span.since < span.until);
        let ids = times.flat_map(move |times| times.range(span.since..span.until).flat_map(|(_, ids)| ids.iter()));
        ids.filter_map(|id| self.events.get(&(account.clone(), id.clone()))).map(listed)
    }
}
