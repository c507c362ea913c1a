//! Finds out which destinations of an account were owed something by events sealed in a stretch, and what. It reads
//! this from the events of the note. If there are very many, or they owe very much, it assumes every destination of the
//! account.
//!
//! It also notes what the events of each note owe, for the audit. That is worth a write only if the audit would otherwise
//! read more than the write costs.
//!
//! Invariant: what single events owe is read only if the account does not have very many, and they do not owe very much
//! (tests: `an_account_with_very_many_events_is_rolled_up_without_asking_each_what_it_owes`,
//! `an_event_that_owes_very_much_is_rolled_up_without_holding_what_it_owes`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::delivery::{Hour, Settlement};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Timestamp};
use ports::{Order, PortResult, SealNote};

use crate::deps::Deps;

/// How many events are listed at once and read together; each may owe any number of deliveries.
const PAGE: usize = 100;
/// With more listed events than this, what each of them owes is not read.
pub(crate) const MANY: usize = 1_000;
/// With more deliveries than this, their ids are not held. They take about 1 MB for each account that is processed.
const MANY_OWED: usize = 10_000;

/// The hours of a destination in which something was owed that may not have been added up yet.
#[derive(Debug, Default, Clone)]
pub(crate) struct Touch {
    /// By hour: the deliveries that are known to be owed.
    pub(crate) hours: BTreeMap<Hour, BTreeSet<DeliveryId>>,
    /// Whether more may be owed than is known.
    pub(crate) unsure: bool,
}

/// What the events of a note owe, if all of that is known.
#[derive(Debug)]
pub(crate) struct NoteOwes {
    note: SealNote,
    events: Vec<(EventId, usize)>,
    destinations: BTreeSet<DestinationId>,
}

impl NoteOwes {
    /// Its settlement, if each delivery to these destinations was delivered, and if it is worth a write. A write costs as
    /// much as five read units. The audit reads half of one for an event, and a twentieth for a delivery or more.
    pub(crate) fn settled(self, destinations: &BTreeSet<DestinationId>) -> Option<(SealNote, Settlement)> {
        let owed = self.events.iter().map(|(_, owed)| owed).fold(0, |sum: usize, owed| sum.saturating_add(*owed));
        let worth = self.events.len() + owed / 10 >= 10;
        let settled = worth && self.destinations.is_subset(destinations);
        settled.then(|| (self.note, Settlement::of(self.events)))
    }
}

/// What an account was owed by the events of a stretch.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) destinations: BTreeMap<DestinationId, Touch>,
    /// Without the notes of which something is not known.
    pub(crate) notes: Vec<NoteOwes>,
}

pub(crate) async fn touched(deps: &Deps, account: &AccountId, notes: &[SealNote]) -> PortResult<Touched> {
    let mut touched = Touched::default();
    let told = Hour::told_at(deps.clock.now()).next().map_or(Timestamp::from_unix_ms(0), Hour::begin);
    let (mut listed, mut owed) = (0, 0);
    for note in notes.iter().filter(|note| note.occurred.until > told) {
        let mut owes = NoteOwes { note: note.clone(), events: Vec::new(), destinations: BTreeSet::new() };
        let (mut after, mut all_known) = (None, true);
        loop {
            let (list, order) = (&deps.event_list, Order::NewestFirst);
            let page = list.list_events(account, note.occurred, order, after.as_ref(), PAGE).await?;
            listed += page.len();
            let owing = page.iter().filter(|event| event.owed_count > 0 && note.sealed.contains(event.sealed_at));
            owed = owing.clone().map(|event| event.owed_count).fold(owed, usize::saturating_add);
            if listed > MANY || owed > MANY_OWED {
                let destinations = every_destination(deps, account, notes).await?;
                return Ok(Touched { destinations, notes: Vec::new() });
            }
            let mut counts: BTreeMap<EventId, usize> =
                owing.map(|event| (event.place.id.clone(), event.owed_count)).collect();
            let ids: Vec<EventId> = counts.keys().cloned().collect();
            for (event, owed) in deps.reckoning.find_owed(account, &ids).await? {
                let count = counts.remove(&event);
                all_known &= count == Some(owed.len());
                owes.events.push((event, owed.len()));
                for id in owed {
                    let destination = id.destination();
                    owes.destinations.insert(destination.clone());
                    let of = touched.destinations.entry(destination).or_default();
                    of.hours.entry(Hour::of(id.occurred_at())).or_default().insert(id);
                }
            }
            all_known &= counts.is_empty();
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.place.clone()),
                _ => break,
            }
        }
        touched.notes.extend(all_known.then_some(owes));
    }
    Ok(touched)
}

async fn every_destination(
    deps: &Deps,
    account: &AccountId,
    notes: &[SealNote],
) -> PortResult<BTreeMap<DestinationId, Touch>> {
    // A stretch may begin in one hour and end in another.
    let hours = notes.iter().flat_map(|note| {
        let last = Hour::of(note.occurred.until.minus(Duration::from_millis(1)));
        (Hour::of(note.occurred.since).0..=last.0).map(Hour)
    });
    let touch = Touch { hours: hours.map(|hour| (hour, BTreeSet::new())).collect(), unsure: true };
    let (mut all, mut after) = (BTreeMap::new(), None);
    loop {
        let page = deps.destination_list.list_destinations(account, Order::OldestFirst, after.as_ref(), PAGE).await?;
        let ended = page.len() < PAGE;
        after = page.last().map(|destination| destination.id.clone());
        all.extend(page.into_iter().map(|destination| (destination.id, touch.clone())));
        if ended {
            return Ok(all);
        }
    }
}
