//! Sends again what a destination did not receive of the events of a time span, at the rate of a drain: first
//! deliveries that have a row, then those that are owed but have none. It continues where it stopped, and does not
//! touch deliveries that are under way.
//!
//! Invariant: a recovery sends no faster than a drain, does not touch what is under way, and loses nothing in a crash
//! (tests: `no_more_than_a_drain_may_is_sent_in_a_minute_evenly_and_all_of_it_in_the_end`,
//! `what_was_not_delivered_is_sent_again_and_what_was_or_is_under_way_is_left_alone`,
//! `a_crash_at_any_step_of_it_loses_nothing_and_the_next_run_goes_on_where_it_stopped`).

use domain::delivery::{DeliveryRecord, Held, RecoverStatus, RecoveredTo, Recovery};
use domain::value::{DeliveryId, EventId};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{EventPlace, ListedEvent, Order, PortError, PortResult, Span};

use super::portion::{AT_ONCE, Missing, Portion, Sent};
use super::taken::{Progress, Taken};
use crate::deps::Deps;
use crate::failures::Row;
use crate::send::{body, claim_and_send, reopen};

/// How many rows or events are listed at once.
const PAGE: usize = 100;
/// How many deliveries are claimed before they are sent.
const TOGETHER: usize = 50;

pub(super) async fn recover(taken: &mut Taken<'_>, asked: &Recovery) -> PortResult<Progress> {
    let portion = match Portion::begin(taken, &asked.account, &asked.destination_id).await? {
        Ok(portion) => portion,
        Err(stopped) => return Ok(stopped),
    };
    let mut part = Part { portion, asked };
    loop {
        let to = part.portion.taken.job.recovered.as_ref().map(|recovered| recovered.to.clone());
        let stopped = match to.unwrap_or_default() {
            RecoveredTo::Nothing => part.rows(None).await?,
            RecoveredTo::Delivery { id } => part.rows(Some(id)).await?,
            RecoveredTo::EveryDelivery => part.events(None).await?,
            RecoveredTo::Event { occurred_at, id } => part.events(Some(EventPlace { occurred_at, id })).await?,
            RecoveredTo::End => return part.portion.taken.end(Ok(())).await,
        };
        if let Some(stopped) = stopped {
            return Ok(stopped);
        }
    }
}

/// The part that may be sent before the next minute.
struct Part<'a, 'b> {
    portion: Portion<'a, 'b>,
    asked: &'a Recovery,
}

impl<'b> Part<'_, 'b> {
    fn deps(&self) -> &'b Deps {
        self.portion.deps()
    }

    /// Processes one page of rows.
    async fn rows(&mut self, after: Option<DeliveryId>) -> PortResult<Option<Progress>> {
        let (deps, asked) = (self.deps(), self.asked);
        let (list, span) = (&deps.delivery_list, Span { since: asked.since, until: asked.until });
        let (account, to, order) = (&asked.account, &asked.destination_id, Order::NewestFirst);
        let records = list.list_deliveries(account, to, span, order, after.as_ref(), PAGE).await?;
        let now = deps.clock.now();
        let wanted = |record: &DeliveryRecord| {
            asked.wants(record.state()) && !record.is_under_way(now) && record.expires_at > now
        };
        let mut left = records.as_slice();
        while let Some((some, further)) = left.split_at_checked(self.portion.together(left, TOGETHER, wanted)) {
            let Some(last) = some.last() else { break };
            let again = self.again(some.iter().filter(|record| wanted(record)).cloned().collect()).await?;
            let to = RecoveredTo::Delivery { id: last.delivery.id.clone() };
            let stopped = self.went(to, some.len(), again).await?;
            if stopped.is_some() {
                return Ok(stopped);
            }
            left = further;
        }
        if records.len() == PAGE {
            return Ok(None);
        }
        let pending = asked.statuses.contains(&RecoverStatus::Pending);
        self.went(if pending { RecoveredTo::EveryDelivery } else { RecoveredTo::End }, 0, Sent::default()).await
    }

    async fn again(&self, records: Vec<DeliveryRecord>) -> PortResult<Sent> {
        let (deps, asked, portion) = (self.deps(), self.asked, &self.portion);
        if portion.ready {
            let name = |(record, _): &(DeliveryRecord, _)| (asked.account.clone(), record.delivery.id.clone());
            let claim = |(record, due_at)| reopen(deps, record, due_at);
            let share = portion.taken.share;
            let sent = claim_and_send(share, portion.due(records), name, claim, std::convert::identity).await;
            return Ok(Sent { sent: sent.checked()?.claimed, set_aside: 0 });
        }
        let elsewhere = records.into_iter().filter(|record| record.held != Held::ByDestination);
        let set_aside = elsewhere.map(|record| async move {
            let parked = record.parked();
            let parked = deps.deliveries.replace_delivery(&record, &parked).await;
            portion.unless_poisoned(&record.delivery.id, parked)
        });
        let set_aside: Vec<bool> = stream::iter(set_aside).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(Sent { sent: 0, set_aside: set_aside.into_iter().filter(|done| *done).count() })
    }

    /// Processes one page of events.
    async fn events(&mut self, after: Option<EventPlace>) -> PortResult<Option<Progress>> {
        let (deps, asked) = (self.deps(), self.asked);
        let span = Span { since: asked.since, until: asked.until };
        let events =
            deps.event_list.list_events(&asked.account, span, Order::NewestFirst, after.as_ref(), PAGE).await?;
        for some in events.chunks(AT_ONCE) {
            let Some(last) = some.last() else { break };
            let missing = self.missing(some).await?;
            let (looked_at, (again, _)) = (missing.len(), self.portion.first(missing).await?);
            let (occurred_at, id) = (last.place.occurred_at, last.place.id.clone());
            let stopped = self.went(RecoveredTo::Event { occurred_at, id }, looked_at, again).await?;
            if stopped.is_some() {
                return Ok(stopped);
            }
        }
        if events.len() == PAGE { Ok(None) } else { self.went(RecoveredTo::End, 0, Sent::default()).await }
    }

    /// The deliveries that these events owe the destination and that have no row, with their bodies. Events that were
    /// sealed just now are under way and left out, and events that cannot be read are skipped.
    async fn missing(&self, events: &[ListedEvent]) -> PortResult<Vec<Missing>> {
        let deps = self.deps();
        let settled = |event: &&ListedEvent| event.sealed_at.plus(deps.lease.length()) <= deps.clock.now();
        let owing = events.iter().filter(|event| event.owed_count > 0).filter(settled);
        let missing = stream::iter(owing).map(|event| async move {
            match self.missing_of(&event.place.id).await {
                Err(error @ PortError::Permanent { .. }) => {
                    let (account, id) = (&self.asked.account, &event.place.id);
                    let row = Row { account, destination: None, what: "event", id };
                    self.portion.taken.share.failures.failed(row, &error);
                    Ok(Vec::new())
                }
                other => other,
            }
        });
        Ok(missing.buffered(AT_ONCE).try_collect::<Vec<_>>().await?.concat())
    }

    async fn missing_of(&self, event: &EventId) -> PortResult<Vec<Missing>> {
        let (deps, asked) = (self.deps(), self.asked);
        let Some(event) = deps.events.find_event(&asked.account, event).await? else { return Ok(Vec::new()) };
        let (body, mut missing) = (body(event.body)?, Vec::new());
        for delivery in event.owed.into_iter().filter(|owed| owed.destination == asked.destination_id) {
            let found = deps.deliveries.find_delivery(&asked.account, &delivery.id).await.map(|row| row.is_none());
            if self.portion.unless_poisoned(&delivery.id, found)? {
                missing.push((delivery, body.clone()));
            }
        }
        Ok(missing)
    }

    /// Stores the recovery's progress; returns why it stops now, if it does.
    async fn went(&mut self, to: RecoveredTo, looked_at: usize, again: Sent) -> PortResult<Option<Progress>> {
        let ended = to == RecoveredTo::End;
        let recovered = self.portion.taken.job.recovered.get_or_insert_default();
        recovered.resent = recovered.resent.saturating_add(again.sent as u64);
        recovered.set_aside = recovered.set_aside.saturating_add(again.set_aside as u64);
        recovered.to = to;
        self.portion.went(ended, looked_at, again.sent).await
    }
}
