//! Sends what is due. The row of a delivery stays in the index after it is sent, with a later time, until the outcome
//! of an attempt is written. If the message is lost or this process crashes, the delivery becomes due again.
//!
//! Deliveries that have ended and only have to be reported are in the same list, and are left to [`crate::told`]. Rows
//! are read in bulk, so that many such deliveries do not delay what is due behind them.
//!
//! Invariant: a delivery that was sent is not sent again before its lease expires, however short that is (tests:
//! `what_was_sent_ahead_is_not_sent_again_before_its_lease_has_run_out`,
//! `what_spends_a_short_wait_in_the_queue_is_left_there_until_its_lease_has_run_out`).
//!
//! Invariant: deliveries that were given up delay nothing that is due (tests:
//! `five_thousand_that_were_given_up_hold_back_nothing_that_is_due`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, Held, Purpose};
use domain::value::{AccountId, DeliveryId, EventId, Timestamp};
use ports::{Due, PortResult};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;
use tracing::error;

use crate::deps::Deps;
use crate::send::{ToSend, body_of, claim_and_send, find, give_up, is_forgotten};
use crate::share::{Part, Share, Turns, Went};
use crate::unit::{Division, Kept, Left};

/// Deliveries that become due before the next run are sent now with a delay, so that they start on the second.
pub(crate) const AHEAD: Duration = Duration::from_secs(60);
/// How many are listed at once, which is one turn of a shard.
const PAGE: usize = 100;
/// How many are read, and then claimed, before they are sent.
const TOGETHER: usize = 50;
/// The length of a page grows with the number of parts, up to this factor: most of its entries belong to other parts.
const PARTS_A_PAGE: usize = 10;
/// For each of these periods that the oldest due entry has waited, a shard is divided into one more part.
const PART_FOR: Duration = Duration::from_secs(30);
/// How many ended deliveries are kept for their report; a later run reports the others.
const KEPT: usize = 10_000;

/// The result of a claim.
enum Found {
    ToSend(ToSend),
    /// It has ended, and has to be reported.
    Ended(Due),
    /// There is nothing to do.
    Nothing,
}

pub(crate) struct DuePart {
    began: Timestamp,
    turns: Turns<Due>,
    /// The part of a shard that this instance handles, if not the whole shard.
    divisions: Kept,
    ended: Vec<Due>,
}

impl DuePart {
    pub(crate) fn of(shards: Vec<u8>, now: Timestamp) -> Self {
        Self { began: now, turns: Turns::of(shards), divisions: Kept::new(), ended: Vec::new() }
    }

    /// The deliveries that were found to have ended since the last call.
    pub(crate) fn take_ended(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.ended)
    }

    fn keep(&mut self, ended: impl IntoIterator<Item = Due>) {
        let room = KEPT.saturating_sub(self.ended.len());
        self.ended.extend(ended.into_iter().take(room));
    }
}

impl Part for DuePart {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        while let Some((shard, mut after)) = self.turns.next() {
            if !share.goes_on() {
                self.turns.interrupted(shard, after);
                return Ok(Went::OutOfTime);
            }
            let division = self.divisions.get(&shard).copied().unwrap_or(Division::WHOLE);
            let size = PAGE * usize::from(division.of).min(PARTS_A_PAGE);
            let until = self.began.plus(AHEAD);
            let list = share.deps.waiting.due_deliveries(shard, until, after.as_ref(), size).await;
            let Some(mut page) = share.failures.listed("due", list) else {
                self.turns.failed(shard);
                continue;
            };
            let (last, listed) = (page.len() < size, page.last().cloned());
            page.retain(|due| division.has(due.id.as_str()));
            for together in page.chunks(TOGETHER) {
                if !share.goes_on() {
                    self.turns.interrupted(shard, after);
                    return Ok(Went::OutOfTime);
                }
                let (mut rows, bodies) = (rows(share, together).await, Bodies::default());
                let due = together.iter().map(|due| (due.clone(), rows.remove(&named(due))));
                let mut found = Vec::new();
                claim_and_send(
                    share,
                    due.collect(),
                    |(due, _)| named(due),
                    |(due, row)| claim(share, due, row, &bodies),
                    |one| match one {
                        Found::ToSend(to_send) => Some(to_send),
                        Found::Ended(due) => {
                            found.push(due);
                            None
                        }
                        Found::Nothing => None,
                    },
                )
                .await;
                self.keep(found);
                after = together.last().cloned();
            }
            if !last {
                self.turns.again(shard, listed);
            }
        }
        Ok(Went::ToTheEnd)
    }

    /// The longer the due entries of a shard have waited, the more parts it is divided into.
    fn left(&self, now: Timestamp) -> Vec<Left> {
        let left = self.turns.left().map(|(shard, after)| {
            // This is unknown for a shard that was not listed yet.
            let Some(since) = after.map(|due| due.look_at) else { return Left { shard, since: self.began, parts: 1 } };
            let parts = 2 + now.since(since).as_secs() / PART_FOR.as_secs();
            Left { shard, since, parts: u16::try_from(parts).unwrap_or(u16::MAX) }
        });
        left.collect()
    }

    fn keep(&mut self, kept: &Kept) {
        self.turns.keep(kept);
        self.divisions.extend(kept);
    }
}

fn named(due: &Due) -> (AccountId, DeliveryId) {
    (due.account.clone(), due.id.clone())
}

/// The rows of some deliveries, as far as they can be read in bulk. The others are read one by one, so that each fails
/// alone.
async fn rows(share: Share<'_>, some: &[Due]) -> HashMap<(AccountId, DeliveryId), DeliveryRecord> {
    let mut ids: Vec<_> = some.iter().map(named).collect();
    ids.sort();
    // The index may still show an earlier entry of a delivery.
    ids.dedup();
    let rows = share.deps.deliveries.find_deliveries(&ids).await.unwrap_or_default();
    rows.into_iter().map(|row| ((row.delivery.account.clone(), row.delivery.id.clone()), row)).collect()
}

/// `None` if the event is not sealed or was deleted.
type Body = OnceCell<Option<Arc<RawValue>>>;

/// The bodies of events; each is read once for all deliveries that are claimed together.
#[derive(Default)]
struct Bodies {
    known: Mutex<HashMap<(AccountId, EventId), Arc<Body>>>,
}

impl Bodies {
    async fn of(&self, deps: &Deps, delivery: &Delivery) -> PortResult<Option<Arc<RawValue>>> {
        let name = (delivery.account.clone(), delivery.event.clone());
        let cell = self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone();
        cell.get_or_try_init(|| body_of(deps, delivery)).await.cloned()
    }
}

async fn claim(share: Share<'_>, due: Due, row: Option<DeliveryRecord>, bodies: &Bodies) -> PortResult<Found> {
    let deps = share.deps;
    let record = match row {
        Some(record) => record,
        None => match find(deps, &due.account, &due.id).await? {
            Some(record) => record,
            None => return Ok(Found::Nothing),
        },
    };
    if record.look_at() != Some(due.look_at) {
        return Ok(Found::Nothing);
    }
    let now = deps.clock.now();
    let due_at = match record.held {
        // Its holder may still be working on it. If the lease is shorter than the time this run looks ahead, it is
        // listed early.
        Held::ByQueue { lost_after, .. } if lost_after > now => return Ok(Found::Nothing),
        Held::ByQueue { due_at, .. } | Held::ByTable { due_at, .. } => due_at,
        Held::ByDestination => return Ok(Found::Nothing),
        Held::Ended { .. } => return Ok(Found::Ended(due)),
    };
    let Some(body) = bodies.of(deps, &record.delivery).await? else {
        if is_forgotten(deps, &record.delivery) {
            error!(
                "delivery.id" = %record.delivery.id,
                "the event of a delivery was deleted before its retry schedule ended"
            );
            give_up(deps, &record, &record.expired(now)).await?;
        } else {
            // The body exists when the event is sealed, however long that takes.
            deps.deliveries.replace_delivery(&record, &record.sent_again(due_at, now, deps.lease)).await?;
        }
        return Ok(Found::Nothing);
    };
    if !deps.deliveries.replace_delivery(&record, &record.sent_again(due_at, now, deps.lease)).await? {
        return Ok(Found::Nothing);
    }
    let (delivery, delay) = (record.delivery, due_at.since(now));
    Ok(Found::ToSend(ToSend { delivery, purpose: Purpose::Again, body, delay }))
}
