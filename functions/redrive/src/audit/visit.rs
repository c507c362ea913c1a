//! Visits events: looks up which of the deliveries that they owe have a row, and sends the others again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use domain::delivery::{Delivery, DeliveryState};
use domain::destination::Admission;
use domain::value::{AccountId, DeliveryId, DestinationId, EventId};
use futures_util::{StreamExt, stream};
use ports::{ListedEvent, PortError, PortResult};
use runtime::metrics::Count;
use serde_json::value::RawValue;
use tokio::sync::MutexGuard;
use tracing::{info, warn};

use crate::audited::{Stopped, Within};
use crate::deps::Deps;
use crate::failures::Row;
use crate::send::{body, claim_and_send, give_row};
use crate::share::Share;

/// How many deliveries are looked up at once.
const TOGETHER: usize = 100;
/// How many destinations are looked up at once.
const AT_ONCE: usize = 10;

/// Whether events were visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visited {
    Yes,
    /// No time was left for the rest.
    NotYet,
    /// The account is gone or being deleted, so nothing is owed any more.
    OfDeleted,
}

/// Visits those of `events` that can be read, from where the audit stopped in them.
pub(super) async fn visit(
    share: Share<'_>,
    account: &AccountId,
    events: &[ListedEvent],
    at: &mut Stopped,
) -> PortResult<Visited> {
    let deps = share.deps;
    let ids = events.iter().map(|event| event.place.id.clone()).collect();
    let (owed, poisoned) = in_bulk(ids, |some| async move { deps.reckoning.find_owed(account, &some).await }).await?;
    for (id, error) in &poisoned {
        at.failed = true;
        share.failures.failed(Row { account, destination: None, what: "event", id }, error);
    }
    let mut owed: Vec<(DeliveryId, EventId)> =
        owed.into_iter().flat_map(|(event, owed)| owed.into_iter().map(move |id| (id, event.clone()))).collect();
    owed.sort();
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Visited::Yes) };
    let (first, last) = (&first.place.id, &last.place.id);
    if let Some(within) = at.within.as_ref().filter(|within| (&within.first, &within.last) == (first, last)) {
        owed.retain(|(id, _)| *id > within.to);
    }
    let mut lost = Lost { share, account, known: None, turn: None, alive: false };
    let mut chunks = owed.chunks(TOGETHER).peekable();
    while let Some(together) = chunks.next() {
        match lost.recover(together).await? {
            Recovered::All => {}
            Recovered::ExceptFor => at.failed = true,
            Recovered::OfDeleted => return Ok(Visited::OfDeleted),
        }
        let to = together.last().map(|(id, _)| id.clone());
        at.within = to.map(|to| Within { first: first.clone(), last: last.clone(), to });
        // Checked after a step and not before it, so that the audit makes progress however slow the table is.
        if chunks.peek().is_some() && !share.goes_on() {
            return Ok(Visited::NotYet);
        }
    }
    Ok(Visited::Yes)
}

/// What was read of each event, and which events cannot be read. If a batch fails because of one of them, it is halved
/// until that one is found.
async fn in_bulk<K: Clone, R, F>(ids: Vec<K>, read: impl Fn(Vec<K>) -> F) -> PortResult<(Vec<R>, Vec<(K, PortError)>)>
where
    F: Future<Output = PortResult<Vec<R>>>,
{
    let (mut found, mut poisoned, mut left) = (Vec::new(), Vec::new(), vec![ids]);
    while let Some(mut some) = left.pop() {
        if some.is_empty() {
            continue;
        }
        match (read(some.clone()).await, some.len()) {
            (Ok(rows), _) => found.extend(rows),
            (Err(error @ PortError::Permanent { .. }), 1) => poisoned.extend(some.pop().map(|id| (id, error))),
            (Err(PortError::Permanent { .. }), many) => {
                left.push(some.split_off(many / 2));
                left.push(some);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok((found, poisoned))
}

enum Recovered {
    All,
    /// Some cannot be recovered until somebody corrects a row.
    ExceptFor,
    /// The account is gone or being deleted.
    OfDeleted,
}

/// An event's body, and its deliveries by id.
type Owing = (Arc<RawValue>, HashMap<DeliveryId, Delivery>);

/// Recovers deliveries that are owed but have no row.
struct Lost<'a> {
    share: Share<'a>,
    account: &'a AccountId,
    /// The event that was read last.
    known: Option<(EventId, Owing)>,
    /// Taken when the first event is read: an event may owe very much, so only one note at a time holds events.
    turn: Option<MutexGuard<'a, ()>>,
    /// Whether it was checked that the account is not being deleted.
    alive: bool,
}

impl Lost<'_> {
    async fn recover(&mut self, owed: &[(DeliveryId, EventId)]) -> PortResult<Recovered> {
        let (deps, failures, account) = (self.share.deps, self.share.failures, self.account);
        let ids = owed.iter().map(|(id, _)| id.clone()).collect();
        let (standings, unreadable) =
            in_bulk(ids, |some| async move { deps.reckoning.find_standings_in_ranges(account, &some).await }).await?;
        for (id, error) in &unreadable {
            let destination = id.destination();
            failures.failed(Row { account, destination: Some(&destination), what: "delivery", id }, error);
        }
        let parked = standings.iter().filter(|standing| standing.state == DeliveryState::Parked);
        unstick(self.share, account, parked.map(|standing| standing.id.destination()).collect()).await?;
        // A delivery whose row cannot be read has a row.
        let unreadable = unreadable.into_iter().map(|(id, _)| id);
        let rows: HashSet<DeliveryId> = standings.into_iter().map(|standing| standing.id).chain(unreadable).collect();
        let mut missing: BTreeMap<&EventId, Vec<&DeliveryId>> = BTreeMap::new();
        for (id, event) in owed.iter().filter(|(id, _)| !rows.contains(id)) {
            missing.entry(event).or_default().push(id);
        }
        let mut result = Recovered::All;
        for (event, ids) in missing {
            if !self.alive {
                let read = deps.accounts.read_account(account).await?;
                self.alive = read.is_some_and(|account| account.deletion.is_none());
                if !self.alive {
                    info!("account.id" = %account, "deliveries of an account that is being deleted are not sent again");
                    return Ok(Recovered::OfDeleted);
                }
            }
            deps.metrics.add(Count::PendingPastHorizon, ids.len());
            match self.send(event, ids).await {
                Ok(()) => {}
                Err(error @ PortError::Permanent { .. }) => {
                    failures.failed(Row { account, destination: None, what: "event", id: event }, &error);
                    result = Recovered::ExceptFor;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(result)
    }

    /// Sends deliveries of an event again.
    async fn send(&mut self, event: &EventId, ids: Vec<&DeliveryId>) -> PortResult<()> {
        let deps = self.share.deps;
        if self.known.as_ref().is_none_or(|(known, _)| known != event) {
            if self.turn.is_none() {
                self.turn = Some(deps.audited.turn_to_send().await);
            }
            let Some(found) = deps.events.find_event(self.account, event).await? else { return Ok(()) };
            let deliveries = found.owed.into_iter().map(|delivery| (delivery.id.clone(), delivery)).collect();
            self.known = Some((event.clone(), (body(found.body)?, deliveries)));
        }
        let Some((_, (body, deliveries))) = &self.known else { return Ok(()) };
        let missing = ids.into_iter().filter_map(|id| deliveries.get(id)).cloned().collect();
        let now = deps.clock.now();
        let name = |delivery: &Delivery| (delivery.account.clone(), delivery.id.clone());
        let claim = |delivery| give_row(deps, delivery, body.clone(), now, true);
        let claimed = claim_and_send(self.share, missing, name, claim, std::convert::identity).await;
        // Only those that really had no row: the first look-up may have been out of date.
        if claimed.claimed > 0 {
            warn!(
                counted = "recovered_by_audit", "account.id" = %self.account, "event.id" = %event,
                deliveries = claimed.claimed, "deliveries were owed but had no row; they are sent again"
            );
        }
        claimed.checked().map(drop)
    }
}

/// A drain sends parked deliveries. Deliveries that were parked too late for it start another drain.
async fn unstick(share: Share<'_>, account: &AccountId, destinations: BTreeSet<DestinationId>) -> PortResult<()> {
    let deps = share.deps;
    let looks = destinations.into_iter().map(|id| async move {
        match start_drain(deps, account, &id).await {
            Err(error @ PortError::Permanent { .. }) => {
                let row = Row { account, destination: Some(&id), what: "destination", id: &id };
                share.failures.failed(row, &error);
                Ok(())
            }
            other => other,
        }
    });
    let all: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    all.into_iter().collect()
}

async fn start_drain(deps: &Deps, account: &AccountId, id: &DestinationId) -> PortResult<()> {
    let found = deps.destinations.find_destination_anew(account, id).await?;
    let Some(destination) = found else { return Ok(()) };
    if destination.admission(deps.clock.now()) == Admission::Everything && destination.health.drain.is_none() {
        deps.destinations.update_health(&destination, &destination.health.resumed(deps.clock.now())).await?;
    }
    Ok(())
}
