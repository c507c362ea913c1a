//! Walks through the deliveries that the events of a span owe, newest or oldest event first. The deliveries of one event are
//! always in the order of its rows. The ledger uses it, and the lists that must be
//! complete, with pending deliveries and those to deleted destinations. The cost does not depend on the number of
//! destinations or deliveries: the rows of an event are read one by one as the walk reaches them, and the caller stops
//! when the request has read enough.
//!
//! Invariant: a walk that continues from any place finds the same as one that never stopped (tests:
//! `the_pages_of_the_ledger_add_up_whatever_their_size`, `the_pages_of_a_wide_event_add_up_and_each_reads_little`).

use std::collections::{HashMap, VecDeque};

use domain::value::{AccountId, DeliveryId, EventId, Timestamp};
use ports::{EventPlace, ListedEvent, Order, OwedRow, PortResult, Span, UnmatchedReason, read_units};

use super::window::{Place, Within};
use crate::web::Deps;

/// The greatest number of events that are read at a time, and of deliveries that they owe together. The first event
/// may owe more.
pub const EVENTS: usize = 100;
const DELIVERIES: usize = 500;
/// The greatest cost, in read units, of the next events with a row of owed deliveries each: 13 for the index, and 100 rows
/// of 4 KiB and 500 deliveries with their paths, or one full row.
const STEP_UNITS: usize = 160;
/// The greatest cost of a further row of an event, with the event's own row.
const ROW_UNITS: usize = 100;
/// The greatest number of deliveries that are examined together.
const TOGETHER: usize = 100;

/// A delivery that was examined, or an event without requested deliveries.
pub struct Looked {
    pub place: Place,
    pub id: Option<DeliveryId>,
    /// Whether it is the first delivery of its event.
    pub is_new: bool,
    /// Set where an event begins that counts.
    pub begins: Option<Begun>,
    /// Set where an event ends that counts.
    pub ends: Option<Ended>,
}

/// What the index says about an event.
pub struct Begun {
    /// Why the event owes nothing.
    pub unmatched: Option<UnmatchedReason>,
    /// Whether it is about the account's destinations and deliveries.
    pub operational: bool,
}

/// How much an event owes, according to the index and to its rows.
pub struct Ended {
    pub listed: usize,
    pub found: usize,
}

/// An event, and the row of its owed deliveries that the walk has reached.
struct Owing {
    event: EventPlace,
    is_new: bool,
    begins: Option<Begun>,
    /// Whether the event counts, because it has not expired.
    counts: bool,
    row: OwedRow,
    within: Within,
}

pub struct Walk<'a> {
    deps: &'a Deps,
    account: &'a AccountId,
    span: Span,
    order: Order,
    after: Option<EventPlace>,
    ended: bool,
    /// How many events are read at a time.
    events: usize,
    /// The event at which the previous page ended.
    resumed: Option<(EventPlace, Within)>,
    coming: VecDeque<Owing>,
}

impl<'a> Walk<'a> {
    /// Starts after `place`, with the span of its first page, and reads `events` events at a time.
    pub fn new(
        deps: &'a Deps,
        account: &'a AccountId,
        asked: Span,
        order: Order,
        place: Option<Place>,
        events: usize,
    ) -> Self {
        let span = place.as_ref().map_or(asked, |place| place.span);
        let after = place.as_ref().map(|place| place.event.clone());
        let resumed = place.and_then(|place| Some((place.event, place.within?)));
        let events = events.clamp(1, EVENTS);
        Self { deps, account, span, order, after, ended: false, events, resumed, coming: VecDeque::new() }
    }

    /// The span that is walked through.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Whether nothing follows.
    pub fn is_over(&self) -> bool {
        self.ended && self.coming.is_empty() && self.resumed.is_none()
    }

    /// Whether the page has to end here although more follows, because the request may not read enough for the next step and
    /// `kept` more units, of which each look uses some.
    pub fn must_stop(&self, kept: usize) -> bool {
        let step = if self.coming.is_empty() { STEP_UNITS } else { ROW_UNITS };
        !self.is_over() && read_units::left_for(step + kept) == 0
    }

    /// The next deliveries, as many as the request may read if each costs `units`, up to a limit; `None` at the end. The
    /// deliveries of events that `takes` refuses are not read.
    pub async fn next(
        &mut self,
        units: usize,
        takes: impl Fn(&ListedEvent) -> bool,
    ) -> PortResult<Option<Vec<Looked>>> {
        self.resume().await?;
        while self.coming.is_empty() {
            if self.ended {
                return Ok(None);
            }
            self.list(&takes).await?;
        }
        while let Some(first) = self.coming.front_mut().filter(|first| first.needs_next_row()) {
            first.next_row(self.deps, self.account).await?;
        }
        let (mut looked, most) = (Vec::new(), read_units::left_for(units).clamp(1, TOGETHER));
        while let Some(owing) = self.coming.front_mut() {
            if owing.needs_next_row() || looked.len() == most {
                break;
            }
            looked.push(owing.look(self.span));
            if owing.is_over() {
                self.coming.pop_front();
            }
        }
        Ok(Some(looked))
    }

    /// Continues within the event in which the previous page ended.
    async fn resume(&mut self) -> PortResult<()> {
        let Some((event, within)) = self.resumed.take() else { return Ok(()) };
        let (reckoning, account) = (&self.deps.reckoning, self.account);
        let row = match within.row {
            0 => reckoning.find_first_owed(account, std::slice::from_ref(&event.id)).await?.pop().map(|(_, row)| row),
            nth => reckoning.find_further_owed(account, &event.id, nth).await?,
        };
        let row = row.unwrap_or(OwedRow { ids: Vec::new(), rows: 0 });
        let within = Within { passed_in_row: within.passed_in_row.min(row.ids.len()), ..within };
        let owing = Owing { event, is_new: false, begins: None, counts: true, row, within };
        if !owing.is_over() {
            self.coming.push_back(owing);
        }
        Ok(())
    }

    /// Reads the next events from the index, and the first row of owed deliveries of each.
    async fn list(&mut self, takes: impl Fn(&ListedEvent) -> bool) -> PortResult<()> {
        let (deps, account) = (self.deps, self.account);
        let (after, most) = (self.after.as_ref(), self.events + 1);
        let mut listed = deps.event_list.list_events(account, self.span, self.order, after, most).await?;
        let (mut sum, all) = (0, listed.len());
        let fits = listed.iter().take(self.events).take_while(|event| {
            let first = sum == 0;
            sum += event.owed_count;
            first || sum <= DELIVERIES
        });
        listed.truncate(fits.count());
        self.ended = listed.len() == all;
        self.after = listed.last().map(|event| event.place.clone()).or(self.after.take());
        let now = deps.clock.now();
        let matched = listed.iter().filter(|event| event.expires_at > now && event.owed_count > 0 && takes(event));
        let matched: Vec<EventId> = matched.map(|event| event.place.id.clone()).collect();
        let mut rows: HashMap<_, _> = match matched.as_slice() {
            [] => HashMap::new(),
            matched => deps.reckoning.find_first_owed(account, matched).await?.into_iter().collect(),
        };
        self.coming.extend(listed.into_iter().map(|event| {
            let row = rows.remove(&event.place.id).unwrap_or(OwedRow { ids: Vec::new(), rows: 1 });
            Owing::new(event, row, now)
        }));
        Ok(())
    }
}

impl Owing {
    fn new(event: ListedEvent, row: OwedRow, now: Timestamp) -> Self {
        let counts = event.expires_at > now;
        let operational = event.event_type.is_operational();
        let begins = counts.then_some(Begun { unmatched: event.unmatched, operational });
        let within = Within { row: 0, passed_in_row: 0, passed: 0, listed: event.owed_count };
        Self { event: event.place, is_new: true, begins, counts, row, within }
    }

    fn needs_next_row(&self) -> bool {
        self.within.passed_in_row >= self.row.ids.len() && !self.is_over()
    }

    async fn next_row(&mut self, deps: &Deps, account: &AccountId) -> PortResult<()> {
        let (nth, rows) = (self.within.row + 1, self.row.rows);
        let row = deps.reckoning.find_further_owed(account, &self.event.id, nth).await?;
        self.row = row.unwrap_or(OwedRow { ids: Vec::new(), rows });
        self.within = Within { row: nth, passed_in_row: 0, ..self.within };
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.within.passed_in_row >= self.row.ids.len() && self.within.row + 1 >= self.row.rows
    }

    /// The next delivery, or a mark that there is none.
    fn look(&mut self, span: Span) -> Looked {
        let id = self.row.ids.get(self.within.passed_in_row).cloned();
        let one = usize::from(id.is_some());
        self.within.passed_in_row += one;
        self.within.passed += one;
        let over = self.is_over();
        let ends = (over && self.counts).then_some(Ended { listed: self.within.listed, found: self.within.passed });
        let within = (!over).then_some(self.within);
        let (place, begins) = (Place { span, event: self.event.clone(), within }, self.begins.take());
        Looked { place, id, is_new: std::mem::take(&mut self.is_new), begins, ends }
    }
}
