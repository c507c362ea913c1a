//! What a job may send to a destination in one minute: as much as a drain may, spread evenly over the minute. While a
//! drain is running the job waits. If the destination does not accept deliveries, they are parked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Delivery, Held};
use domain::destination::Admission;
use domain::destination::health::DRAIN_EVERY;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use futures_util::{StreamExt, TryFutureExt, TryStreamExt, stream};
use ports::{Held as Holds, PortError, PortResult};
use serde_json::value::RawValue;

use super::taken::{Progress, Taken};
use crate::deps::Deps;
use crate::failures::Row;
use crate::send::{claim_and_send, first_row, give_row};

/// How many events are read, or rows parked, at once.
pub(super) const AT_ONCE: usize = 10;
/// The wait until the next part: a little less than a minute, so that the next run is not too early for it.
const NEXT: Duration = DRAIN_EVERY.saturating_sub(Duration::from_secs(5));

/// A delivery without a row, and its body.
pub(super) type Missing = (Delivery, Arc<RawValue>);

/// The results of some deliveries.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Sent {
    pub(super) sent: usize,
    pub(super) set_aside: usize,
}

pub(super) struct Portion<'a, 'b> {
    pub(super) taken: &'a mut Taken<'b>,
    account: &'a AccountId,
    destination: &'a DestinationId,
    /// Whether the destination accepts deliveries; if not, they are parked.
    pub(super) ready: bool,
    begin: Timestamp,
    /// The time between two deliveries.
    every: Duration,
    sent: usize,
    most: usize,
}

impl<'a, 'b> Portion<'a, 'b> {
    /// The portion of this minute, or why the job stops now.
    pub(super) async fn begin(
        taken: &'a mut Taken<'b>,
        account: &'a AccountId,
        destination: &'a DestinationId,
    ) -> PortResult<Result<Self, Progress>> {
        let found = taken.deps.destinations.find_destination_anew(account, destination).await?;
        let Some(found) = found.filter(|found| found.health.admission() != Admission::Closed) else {
            return taken.end(Err("the destination was deleted")).await.map(Err);
        };
        let begin = taken.deps.clock.now();
        let ready = found.admission(begin) == Admission::Everything;
        if ready && found.health.drain.is_some() {
            // Both together would be too fast, and the drain sends most of it anyway.
            taken.put_off(begin.plus(NEXT)).await?;
            return Ok(Err(Progress::PutOff));
        }
        // Makes sure that the deliveries it parks are looked for before they expire.
        if let Some(health) = found.health.parked(begin).filter(|_| !ready)
            && !taken.deps.destinations.update_health(&found, &health).await?
        {
            taken.put_off(begin.plus(NEXT)).await?;
            return Ok(Err(Progress::PutOff));
        }
        let most = found.drain_portion();
        let every = DRAIN_EVERY.div_f64(f64::from(u32::try_from(most).unwrap_or(u32::MAX)));
        Ok(Ok(Self { taken, account, destination, ready, begin, every, sent: 0, most }))
    }

    pub(super) fn deps(&self) -> &'b Deps {
        self.taken.deps
    }

    /// Each of the next deliveries, with its due time.
    pub(super) fn due<T>(&self, items: Vec<T>) -> Vec<(T, Timestamp)> {
        let first = u32::try_from(self.sent).unwrap_or(u32::MAX);
        let due_at = |n| self.begin.plus(self.every.saturating_mul(n));
        items.into_iter().zip((first..).map(due_at)).collect()
    }

    /// How many of `left` are handled together: at most `most`, and no more than contain as many wanted ones as may be
    /// sent now.
    pub(super) fn together<T>(&self, left: &[T], most: usize, wanted: impl Fn(&T) -> bool) -> usize {
        let mut room = self.most.saturating_sub(self.sent).clamp(1, most);
        let fits = |item: &&T| {
            let wanted = usize::from(wanted(item));
            let fits = wanted <= room;
            room = room.saturating_sub(wanted);
            fits
        };
        left.iter().take_while(fits).count()
    }

    /// Gives each delivery its first row, unless it has one, and sends or parks it. Also returns which of them have a
    /// row now: all but those that cannot be handled until somebody corrects a row.
    pub(super) async fn first(&self, missing: Vec<Missing>) -> PortResult<(Sent, BTreeSet<DeliveryId>)> {
        let (deps, mut with_row) = (self.deps(), BTreeSet::new());
        if self.ready {
            let name = |((delivery, _), _): &(Missing, Timestamp)| (self.account.clone(), delivery.id.clone());
            let claim = |((delivery, body), due_at): (Missing, Timestamp)| {
                let id = delivery.id.clone();
                give_row(deps, delivery, body, due_at, false).map_ok(|to_send| (id, to_send))
            };
            let pick = |(id, to_send)| {
                with_row.insert(id);
                to_send
            };
            let sent = claim_and_send(self.taken.share, self.due(missing), name, claim, pick).await.checked()?;
            return Ok((Sent { sent: sent.claimed, set_aside: 0 }, with_row));
        }
        let rows = missing.into_iter().map(|(delivery, _)| async move {
            let row = first_row(deps, delivery, Held::ByDestination);
            let recorded = deps.deliveries.create_delivery(&row).await.map(Some);
            Ok::<_, PortError>((self.unless_poisoned(&row.delivery.id, recorded)?, row.delivery.id))
        });
        let rows: Vec<_> = stream::iter(rows).buffer_unordered(AT_ONCE).try_collect().await?;
        let set_aside = rows.iter().filter(|(recorded, _)| *recorded == Some(true)).count();
        with_row.extend(rows.into_iter().filter(|(recorded, _)| recorded.is_some()).map(|(_, id)| id));
        Ok((Sent { sent: 0, set_aside }, with_row))
    }

    /// The value, or the default if the delivery cannot be handled until somebody corrects a row.
    pub(super) fn unless_poisoned<T: Default>(&self, id: &DeliveryId, answer: PortResult<T>) -> PortResult<T> {
        match answer {
            Err(error @ PortError::Permanent { .. }) => {
                let row = Row { account: self.account, destination: Some(self.destination), what: "delivery", id };
                self.taken.share.failures.failed(row, &error);
                Ok(T::default())
            }
            other => other,
        }
    }

    /// Stores the job's progress, with these deliveries as its latest part; returns why the job stops now, if it does.
    pub(super) async fn went(&mut self, ended: bool, looked_at: usize, sent: usize) -> PortResult<Option<Progress>> {
        self.sent += sent;
        if self.taken.progressed(looked_at as u64).await? == Holds::Lost {
            return Ok(Some(Progress::Lost));
        }
        if !ended && self.sent >= self.most {
            self.taken.put_off(self.begin.plus(NEXT)).await?;
            return Ok(Some(Progress::PutOff));
        }
        Ok((!ended && !self.taken.has_time()).then_some(Progress::OutOfTime))
    }
}
