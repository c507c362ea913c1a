//! Computes the roll-up of one destination: reads the hours that need it, page by page and each up to a limit, and
//! writes one row if anything has changed. An hour is continued from where it is settled
//! ([`domain::delivery::summing`]), so that each row is usually read once.
//!
//! Invariant: a roll-up that does not count everything says so (tests:
//! `an_hour_with_more_deliveries_than_are_read_says_that_it_is_partial`).
//!
//! Invariant: a row that is settled is not read again, unless something older may have come (tests:
//! `an_hour_is_continued_where_it_is_settled_and_read_whole_if_something_older_comes`,
//! `what_a_replay_adds_to_a_settled_hour_is_counted`).
//!
//! Invariant: no roll-up outlives its destination or its account (tests:
//! `nothing_is_written_of_a_destination_that_is_gone_or_closed_and_what_was_is_forgotten`, the contract suite
//! `roll_ups`).

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{DeliveryResult, Hour, RollUp, Summed, Summing};
use domain::destination::Admission;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{PortError, PortResult, Span};

use super::touched::Touch;
use crate::deps::Deps;
use crate::share::Share;

/// How many rows are read at once.
const PAGE: usize = 1_000;
/// How many rows of an hour are read. An hour with more rows is marked as partial.
const MOST: u64 = 20_000;
/// How often the computation is tried if other runs keep being faster.
const TRIES: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Computed {
    /// Each delivery that was known to be owed was seen to be delivered.
    Settled,
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
        let (now, read) = (deps.clock.now(), BTreeMap::new());
        let reading = Reading { share, account, id, touch, before: before.as_ref(), now, read };
        let Some((after, settled)) = reading.after().await? else { return Ok(Computed::OutOfTime) };
        if store(deps, before.as_ref(), &after).await? {
            return Ok(if settled { Computed::Settled } else { Computed::InTime });
        }
    }
    Err(PortError::transient("rolling up a destination", "other runs kept doing so at the same time"))
}

/// Writes the roll-up, unless the stored one is the same; returns whether nobody else wrote in the meantime.
async fn store(deps: &Deps, before: Option<&RollUp>, after: &RollUp) -> PortResult<bool> {
    let stretch = deps.horizon.stretches().length();
    let (was_listed, look_at) =
        (before.is_some_and(|before| before.look_at(stretch).is_some()), after.look_at(stretch));
    if !was_listed && look_at.is_none() && !after.replaces(before) {
        return Ok(true);
    }
    deps.roll_ups.store_roll_up(before.map(|before| before.computed_at), after, look_at).await
}

struct Reading<'a> {
    share: Share<'a>,
    account: &'a AccountId,
    id: &'a DestinationId,
    touch: &'a Touch,
    before: Option<&'a RollUp>,
    now: Timestamp,
    read: BTreeMap<Hour, Summed>,
}

impl<'a> Reading<'a> {
    /// The roll-up as it is now, and whether each delivery that was known to be owed was delivered; `None` if there was
    /// no time to read everything.
    async fn after(mut self) -> PortResult<Option<(RollUp, bool)>> {
        let (touched, stretch) = (self.touch.hours.keys().copied(), self.share.deps.horizon.stretches().length());
        let hours = RollUp::hours_to_read(self.before, touched, stretch, self.now);
        for run in self.runs(&hours) {
            if self.run(run).await? == Computed::OutOfTime {
                return Ok(None);
            }
        }
        let settled = |hour: &Hour| self.read.get(hour).is_some_and(|summed| summed.all_delivered);
        let settled = self.touch.hours.keys().all(settled);
        Ok(Some((RollUp::with(self.before.cloned(), self.account, self.id, self.read, self.now), settled)))
    }

    fn summing(&self, hour: Hour) -> Summing<'a> {
        let begun = self.before.and_then(|before| before.begun.as_ref());
        Summing::new(hour, self.touch.hours.get(&hour), self.touch.unsure, begun, self.now)
    }

    /// Groups of hours that are read as one range, newest first.
    fn runs(&self, hours: &BTreeSet<Hour>) -> Vec<Vec<Summing<'a>>> {
        let mut runs: Vec<Vec<Summing<'a>>> = Vec::new();
        for hour in hours.iter().rev() {
            let ends_at = |run: &&mut Vec<Summing<'_>>| run.last().is_some_and(|last| last.since() == hour.end());
            match runs.last_mut().filter(ends_at) {
                Some(run) => run.push(self.summing(*hour)),
                None => runs.push(vec![self.summing(*hour)]),
            }
        }
        runs
    }

    /// Reads such hours: all at once if they fit in one page, otherwise each up to its own limit.
    async fn run(&mut self, mut hours: Vec<Summing<'a>>) -> PortResult<Computed> {
        let (Some(newest), Some(oldest)) = (hours.first(), hours.last()) else { return Ok(Computed::InTime) };
        if !self.share.has_time() {
            return Ok(Computed::OutOfTime);
        }
        if hours.len() > 1 {
            let span = Span { since: oldest.since(), until: newest.hour().end() };
            let page = self.page(span, None).await?;
            if page.len() < PAGE {
                let mut rows = page.iter().peekable();
                for mut summing in hours.drain(..) {
                    while let Some(row) = rows.next_if(|row| row.id.occurred_at() >= summing.since()) {
                        summing.add(row);
                    }
                    self.read.insert(summing.hour(), summing.sum(false));
                }
                return Ok(Computed::InTime);
            }
        }
        for mut summing in hours {
            let Some(partial) = self.all_of(&mut summing).await? else { return Ok(Computed::OutOfTime) };
            self.read.insert(summing.hour(), summing.sum(partial));
        }
        Ok(Computed::InTime)
    }

    /// Reads one hour up to its limit; returns whether there was more, or `None` if there was no time.
    async fn all_of(&self, summing: &mut Summing<'a>) -> PortResult<Option<bool>> {
        let (span, mut after) = (Span { since: summing.since(), until: summing.hour().end() }, None);
        loop {
            if !self.share.has_time() {
                return Ok(None);
            }
            let page = self.page(span, after.as_ref()).await?;
            page.iter().for_each(|row| summing.add(row));
            match page.last() {
                Some(last) if page.len() == PAGE && summing.count() < MOST => after = Some(last.id.clone()),
                last => return Ok(Some(last.is_some() && page.len() == PAGE)),
            }
        }
    }

    async fn page(&self, span: Span, after: Option<&DeliveryId>) -> PortResult<Vec<DeliveryResult>> {
        self.share.deps.roll_ups.list_results(self.account, self.id, span, after, PAGE).await
    }
}
