//! Sends again what a destination did not receive of the events of a time span, at the rate of a drain: first what has
//! a row, then what the events owe and has no row. It continues where it stopped, and leaves alone what is under way.
//!
//! Invariant: a recovery sends no faster than a drain, leaves alone what is under way, and loses nothing in a crash
//! (tests: `no_more_than_a_drain_may_is_sent_in_a_minute_evenly_and_all_of_it_in_the_end`,
//! `what_was_not_delivered_is_sent_again_and_what_was_or_is_under_way_is_left_alone`,
//! `a_crash_at_any_step_of_it_loses_nothing_and_the_next_run_goes_on_where_it_stopped`).

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, Held, RecoverStatus, RecoveredTo, Recovery};
use domain::destination::Admission;
use domain::destination::health::DRAIN_EVERY;
use domain::value::{DeliveryId, EventId, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{EventPlace, Held as LeaseHeld, ListedEvent, OlderThan, PortError, PortResult, Span};
use serde_json::value::RawValue;

use super::taken::{Progress, Taken};
use crate::deps::Deps;
use crate::failures::Row;
use crate::send::{body, claim_and_send, first_row, give_row, reopen};

/// How many rows or events are listed at once.
const PAGE: usize = 100;
/// How many deliveries are claimed before they are sent.
const TOGETHER: usize = 50;
/// How many events are read, or rows set aside, at once.
const AT_ONCE: usize = 10;
/// The wait until the next part: a little less than a minute, so that the run after that is not too early for it.
const NEXT: Duration = DRAIN_EVERY.saturating_sub(Duration::from_secs(5));

pub(super) async fn recover(taken: &mut Taken<'_>, asked: &Recovery) -> PortResult<Progress> {
    let found = taken.deps.destinations.find_destination_anew(&asked.account, &asked.destination_id).await?;
    let Some(destination) = found.filter(|found| found.health.admission() != Admission::Closed) else {
        return taken.end(Err("the destination was deleted")).await;
    };
    let begin = taken.deps.clock.now();
    let ready = destination.admission(begin) == Admission::Everything;
    if ready && destination.health.drain.is_some() {
        // Both together would be too fast, and the drain sends most of it anyway.
        taken.put_off(begin.plus(NEXT)).await?;
        return Ok(Progress::PutOff);
    }
    let most = destination.drain_portion();
    let every = DRAIN_EVERY.div_f64(f64::from(u32::try_from(most).unwrap_or(u32::MAX)));
    let mut part = Part { taken, asked, ready, begin, every, sent: 0, most };
    loop {
        let to = part.taken.job.recovered.as_ref().map(|recovered| recovered.to.clone());
        let stopped = match to.unwrap_or_default() {
            RecoveredTo::Nothing => part.rows(OlderThan::Time(asked.until)).await?,
            RecoveredTo::Delivery { id } => part.rows(OlderThan::Delivery(id)).await?,
            RecoveredTo::EveryDelivery => part.events(None).await?,
            RecoveredTo::Event { occurred_at, id } => part.events(Some(EventPlace { occurred_at, id })).await?,
            RecoveredTo::End => return part.taken.end(Ok(())).await,
        };
        if let Some(stopped) = stopped {
            return Ok(stopped);
        }
    }
}

/// The part that may be sent before the next minute.
struct Part<'a, 'b> {
    taken: &'a mut Taken<'b>,
    asked: &'a Recovery,
    /// Whether the destination accepts deliveries; if not, they are parked.
    ready: bool,
    begin: Timestamp,
    /// The distance between two deliveries.
    every: Duration,
    sent: usize,
    most: usize,
}

/// The results of some deliveries.
#[derive(Default)]
struct Again {
    resent: usize,
    set_aside: usize,
}

impl<'b> Part<'_, 'b> {
    fn deps(&self) -> &'b Deps {
        self.taken.deps
    }

    /// Each of the next deliveries, with the time at which it is due.
    fn due<T>(&self, items: Vec<T>) -> Vec<(T, Timestamp)> {
        let first = u32::try_from(self.sent).unwrap_or(u32::MAX);
        let due_at = |n| self.begin.plus(self.every.saturating_mul(n));
        items.into_iter().zip((first..).map(due_at)).collect()
    }

    /// How many of `left` are handled together: as many as contain no more wanted ones than may be sent now.
    fn together<T>(&self, left: &[T], wanted: impl Fn(&T) -> bool) -> usize {
        let mut room = self.most.saturating_sub(self.sent).clamp(1, TOGETHER);
        let fits = |item: &&T| {
            let wanted = usize::from(wanted(item));
            let fits = wanted <= room;
            room = room.saturating_sub(wanted);
            fits
        };
        left.iter().take_while(fits).count()
    }

    /// Processes one page of rows.
    async fn rows(&mut self, older: OlderThan) -> PortResult<Option<Progress>> {
        let (deps, asked) = (self.deps(), self.asked);
        let list = deps.delivery_list.list_deliveries(&asked.account, &asked.destination_id, asked.since, &older, PAGE);
        let records = list.await?;
        let now = deps.clock.now();
        let wanted = |record: &DeliveryRecord| {
            asked.wants(record.state()) && !record.is_under_way(now) && record.expires_at > now
        };
        let mut left = records.as_slice();
        while let Some((some, further)) = left.split_at_checked(self.together(left, wanted)) {
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
        self.went(if pending { RecoveredTo::EveryDelivery } else { RecoveredTo::End }, 0, Again::default()).await
    }

    async fn again(&self, records: Vec<DeliveryRecord>) -> PortResult<Again> {
        let (deps, asked) = (self.deps(), self.asked);
        if self.ready {
            let name = |(record, _): &(DeliveryRecord, _)| (asked.account.clone(), record.delivery.id.clone());
            let claim = |(record, due_at)| reopen(deps, record, due_at);
            let share = self.taken.share;
            let sent = claim_and_send(share, self.due(records), name, claim, std::convert::identity).await;
            return Ok(Again { resent: sent.checked()?.claimed, set_aside: 0 });
        }
        let elsewhere = records.into_iter().filter(|record| record.held != Held::ByDestination);
        let set_aside = elsewhere.map(|record| async move {
            let parked = record.parked();
            let parked = deps.deliveries.replace_delivery(&record, &parked).await;
            self.unless_poisoned(&record.delivery.id, parked)
        });
        count(set_aside).await
    }

    /// Processes one page of events.
    async fn events(&mut self, after: Option<EventPlace>) -> PortResult<Option<Progress>> {
        let (deps, asked) = (self.deps(), self.asked);
        let span = Span { since: asked.since, until: asked.until };
        let events = deps.event_list.list_events(&asked.account, span, after.as_ref(), PAGE).await?;
        for some in events.chunks(AT_ONCE) {
            let Some(last) = some.last() else { break };
            let missing = self.missing(some).await?;
            let (looked_at, again) = (missing.len(), self.first(missing).await?);
            let (occurred_at, id) = (last.place.occurred_at, last.place.id.clone());
            let stopped = self.went(RecoveredTo::Event { occurred_at, id }, looked_at, again).await?;
            if stopped.is_some() {
                return Ok(stopped);
            }
        }
        if events.len() == PAGE { Ok(None) } else { self.went(RecoveredTo::End, 0, Again::default()).await }
    }

    /// What these events owe the destination and has no row, with its body. What was sealed just now is under way and left
    /// out, and what cannot be read is passed over.
    async fn missing(&self, events: &[ListedEvent]) -> PortResult<Vec<(Delivery, Arc<RawValue>)>> {
        let deps = self.deps();
        let settled = |event: &&ListedEvent| event.sealed_at.plus(deps.lease.length()) <= deps.clock.now();
        let owing = events.iter().filter(|event| event.owed_count > 0).filter(settled);
        let missing = stream::iter(owing).map(|event| async move {
            match self.missing_of(&event.place.id).await {
                Err(error @ PortError::Permanent { .. }) => {
                    let (account, id) = (&self.asked.account, &event.place.id);
                    let row = Row { account, destination: None, what: "event", id };
                    self.taken.share.failures.failed(row, &error);
                    Ok(Vec::new())
                }
                other => other,
            }
        });
        Ok(missing.buffered(AT_ONCE).try_collect::<Vec<_>>().await?.concat())
    }

    async fn missing_of(&self, event: &EventId) -> PortResult<Vec<(Delivery, Arc<RawValue>)>> {
        let (deps, asked) = (self.deps(), self.asked);
        let Some(event) = deps.events.find_event(&asked.account, event).await? else { return Ok(Vec::new()) };
        let (body, mut missing) = (body(event.body)?, Vec::new());
        for delivery in event.owed.into_iter().filter(|owed| owed.destination == asked.destination_id) {
            let found = deps.deliveries.find_delivery(&asked.account, &delivery.id).await.map(|row| row.is_none());
            if self.unless_poisoned(&delivery.id, found)? {
                missing.push((delivery, body.clone()));
            }
        }
        Ok(missing)
    }

    /// The answer, or `false` of a delivery that cannot be handled until somebody mends it.
    fn unless_poisoned(&self, id: &DeliveryId, answer: PortResult<bool>) -> PortResult<bool> {
        match answer {
            Err(error @ PortError::Permanent { .. }) => {
                let (account, destination) = (&self.asked.account, Some(&self.asked.destination_id));
                self.taken.share.failures.failed(Row { account, destination, what: "delivery", id }, &error);
                Ok(false)
            }
            other => other,
        }
    }

    /// Gives each delivery its first row.
    async fn first(&self, missing: Vec<(Delivery, Arc<RawValue>)>) -> PortResult<Again> {
        let (deps, asked) = (self.deps(), self.asked);
        if self.ready {
            type Missing = ((Delivery, Arc<RawValue>), Timestamp);
            let name = |((delivery, _), _): &Missing| (asked.account.clone(), delivery.id.clone());
            let claim = |((delivery, body), due_at): Missing| give_row(deps, delivery, body, due_at, false);
            let share = self.taken.share;
            let sent = claim_and_send(share, self.due(missing), name, claim, std::convert::identity).await;
            return Ok(Again { resent: sent.checked()?.claimed, set_aside: 0 });
        }
        let set_aside = missing.into_iter().map(|(delivery, _)| async move {
            let row = first_row(deps, delivery, Held::ByDestination);
            let recorded = deps.deliveries.create_delivery(&row).await;
            self.unless_poisoned(&row.delivery.id, recorded)
        });
        count(set_aside).await
    }

    /// Stores how far the recovery is; answers why it stops now, if it does.
    async fn went(&mut self, to: RecoveredTo, looked_at: usize, again: Again) -> PortResult<Option<Progress>> {
        let ended = to == RecoveredTo::End;
        let recovered = self.taken.job.recovered.get_or_insert_default();
        recovered.resent = recovered.resent.saturating_add(again.resent as u64);
        recovered.set_aside = recovered.set_aside.saturating_add(again.set_aside as u64);
        recovered.to = to;
        self.sent += again.resent;
        if self.taken.progressed(looked_at as u64).await? == LeaseHeld::Lost {
            return Ok(Some(Progress::Lost));
        }
        if !ended && self.sent >= self.most {
            self.taken.put_off(self.begin.plus(NEXT)).await?;
            return Ok(Some(Progress::PutOff));
        }
        Ok((!ended && !self.taken.has_time()).then_some(Progress::OutOfTime))
    }
}

/// Parks deliveries, several at once; answers how many were parked.
async fn count<F: Future<Output = PortResult<bool>>>(each: impl Iterator<Item = F>) -> PortResult<Again> {
    let done: Vec<bool> = stream::iter(each).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(Again { resent: 0, set_aside: done.into_iter().filter(|done| *done).count() })
}
