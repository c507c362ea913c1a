//! Computes the roll-up of one destination: reads the hours that need it, page by page and each up to a limit, and
//! writes one row if anything has changed.
//!
//! Invariant: a roll-up that does not count everything says so (tests:
//! `an_hour_with_more_deliveries_than_are_read_says_that_it_is_partial`).
//!
//! Invariant: no roll-up outlives its destination or its account (tests:
//! `nothing_is_written_of_a_destination_that_is_gone_or_closed_and_what_was_is_forgotten`, the contract suite
//! `roll_ups`).

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{DeliveryResult, Hour, HourRead, RollUp, Tally};
use domain::destination::Admission;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{PortError, PortResult, Span};

use super::touched::Touch;
use crate::deps::Deps;
use crate::share::Share;

/// How many rows are read at once.
const PAGE: usize = 1_000;
/// How many rows of an hour are read. An hour with more rows is marked as partial.
const MOST: usize = 20_000;
/// How often the computation is tried if other runs keep being faster.
const TRIES: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Computed {
    InTime,
    /// There was no time to read everything; nothing was written.
    OutOfTime,
}

/// Computes the roll-up, unless the touched hours were read at `since` or later.
pub(super) async fn compute(
    share: Share<'_>,
    account: &AccountId,
    id: &DestinationId,
    touch: &Touch,
    since: Timestamp,
) -> PortResult<Computed> {
    let deps = share.deps;
    for _ in 0..TRIES {
        if !share.has_time() {
            return Ok(Computed::OutOfTime);
        }
        let before = deps.roll_ups.find_roll_up(account, id).await?;
        let mut hours = touch.hours.keys().copied().peekable();
        if hours.peek().is_some() && before.as_ref().is_some_and(|before| before.has_read(hours, since)) {
            return Ok(Computed::InTime);
        }
        // While its account is being deleted, nothing is written that the deletion might miss.
        let found = deps.destinations.find_destination_anew(account, id).await?;
        if found.is_none_or(|found| found.health.admission() == Admission::Closed) {
            if before.is_some() {
                deps.roll_ups.forget_roll_up(account, id).await?;
            }
            return Ok(Computed::InTime);
        }
        let reading = Reading { share, account, id, touch, now: deps.clock.now(), read: BTreeMap::new() };
        let Some(after) = reading.after(before.as_ref()).await? else { return Ok(Computed::OutOfTime) };
        if store(deps, before.as_ref(), &after).await? {
            return Ok(Computed::InTime);
        }
    }
    Err(PortError::transient("rolling up a destination", "other runs kept doing so at the same time"))
}

/// Writes the roll-up, unless the stored one is the same; returns whether nobody else wrote in the meantime.
async fn store(deps: &Deps, before: Option<&RollUp>, after: &RollUp) -> PortResult<bool> {
    let stretch = deps.horizon.stretches().length();
    let (was_listed, look_at) =
        (before.is_some_and(|before| before.look_at(stretch).is_some()), after.look_at(stretch));
    if !was_listed && look_at.is_none() && !after.tells_other_than(before) {
        return Ok(true);
    }
    deps.roll_ups.store_roll_up(before.map(|before| before.computed_at), after, look_at).await
}

/// Groups of consecutive hours, newest first.
fn runs(hours: &BTreeSet<Hour>) -> Vec<Vec<Hour>> {
    let mut runs: Vec<Vec<Hour>> = Vec::new();
    for hour in hours.iter().rev() {
        match runs.last_mut().filter(|run| run.last().is_some_and(|last| last.begin() == hour.end())) {
            Some(run) => run.push(*hour),
            None => runs.push(vec![*hour]),
        }
    }
    runs
}

struct Reading<'a> {
    share: Share<'a>,
    account: &'a AccountId,
    id: &'a DestinationId,
    touch: &'a Touch,
    now: Timestamp,
    read: BTreeMap<Hour, HourRead>,
}

impl Reading<'_> {
    /// The roll-up as it is now; `None` if there was no time to read everything.
    async fn after(mut self, before: Option<&RollUp>) -> PortResult<Option<RollUp>> {
        let touched = self.touch.hours.keys().copied();
        let hours = RollUp::hours_to_read(before, touched, self.share.deps.horizon.stretches().length(), self.now);
        for run in runs(&hours) {
            if self.run(&run).await? == Computed::OutOfTime {
                return Ok(None);
            }
        }
        Ok(Some(RollUp::with(before.cloned(), self.account, self.id, self.read, self.now)))
    }

    /// Reads consecutive hours, newest first: all at once if they fit in one page, otherwise each up to its own limit.
    async fn run(&mut self, hours: &[Hour]) -> PortResult<Computed> {
        let (Some(newest), Some(oldest)) = (hours.first(), hours.last()) else { return Ok(Computed::InTime) };
        if !self.share.has_time() {
            return Ok(Computed::OutOfTime);
        }
        if hours.len() > 1 {
            let page = self.page(Span { since: oldest.begin(), until: newest.end() }, None).await?;
            if page.len() < PAGE {
                let mut by_hour: BTreeMap<Hour, Counted> = BTreeMap::new();
                for result in &page {
                    let hour = Hour::of(result.id.occurred_at());
                    by_hour.entry(hour).or_default().add(result, self.known(hour));
                }
                hours.iter().for_each(|hour| self.keep(*hour, by_hour.remove(hour).unwrap_or_default()));
                return Ok(Computed::InTime);
            }
        }
        for hour in hours {
            let span = Span { since: hour.begin(), until: hour.end() };
            let (mut counted, mut after, mut rows) = (Counted::default(), None, 0);
            loop {
                if !self.share.has_time() {
                    return Ok(Computed::OutOfTime);
                }
                let page = self.page(span, after.as_ref()).await?;
                page.iter().for_each(|result| counted.add(result, self.known(*hour)));
                rows += page.len();
                match page.last() {
                    Some(last) if page.len() == PAGE && rows < MOST => after = Some(last.id.clone()),
                    Some(_) if page.len() == PAGE => {
                        counted.tally.partial = true;
                        break;
                    }
                    _ => break,
                }
            }
            self.keep(*hour, counted);
        }
        Ok(Computed::InTime)
    }

    async fn page(&self, span: Span, after: Option<&DeliveryId>) -> PortResult<Vec<DeliveryResult>> {
        self.share.deps.roll_ups.list_results(self.account, self.id, span, after, PAGE).await
    }

    /// The deliveries that are known to be owed in an hour.
    fn known(&self, hour: Hour) -> Option<&BTreeSet<DeliveryId>> {
        self.touch.hours.get(&hour)
    }

    fn keep(&mut self, hour: Hour, counted: Counted) {
        let touched = self.known(hour);
        let missing = touched.map_or(0, |owed| owed.len().saturating_sub(counted.known));
        let owed = counted.tally.count().saturating_add(u64::try_from(missing).unwrap_or(u64::MAX));
        let unsure = self.touch.unsure && touched.is_some();
        self.read.insert(hour, HourRead { at: self.now, tally: counted.tally, owed, unsure });
    }
}

#[derive(Default)]
struct Counted {
    tally: Tally,
    /// How many of those are known to be owed.
    known: usize,
}

impl Counted {
    fn add(&mut self, result: &DeliveryResult, known: Option<&BTreeSet<DeliveryId>>) {
        self.tally.add(result);
        self.known += usize::from(known.is_some_and(|known| known.contains(&result.id)));
    }
}
