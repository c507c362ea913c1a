//! The numbers of the ledger. The two sides of each equation are counted from different rows, so that an equation can
//! fail: accepted and owed from the index of events, matched from the events' own rows, and states from the deliveries'
//! rows.
//!
//! Invariant: the ledger closes only if the index and the rows agree, counts every state, and never counts another
//! account's deliveries (tests: `the_ledger_closes_only_where_index_and_rows_agree`,
//! `every_state_is_counted_with_its_ids_and_the_ledger_closes`, `another_accounts_are_never_counted`, on the deployed
//! stack `the_ledger_of_the_api_is_that_of_the_table`).

use std::collections::HashMap;

use domain::delivery::DeliveryState;
use domain::value::{DeliveryId, EventId};
use ports::{DeliveryStanding, UnmatchedReason};
use serde::Serialize;
use utoipa::ToSchema;

use super::walk::{Begun, Ended, Looked};

/// How many ids are kept with each count.
const IDS: usize = 100;

pub struct Tally<Id> {
    pub count: usize,
    pub ids: Vec<Id>,
}

impl<Id> Default for Tally<Id> {
    fn default() -> Self {
        Self { count: 0, ids: Vec::new() }
    }
}

impl<Id: Clone> Tally<Id> {
    fn add(&mut self, id: &Id) {
        self.count += 1;
        self.keep(id);
    }

    fn keep(&mut self, id: &Id) {
        if self.ids.len() < IDS {
            self.ids.push(id.clone());
        }
    }

    pub fn truncated(&self) -> bool {
        self.count > self.ids.len()
    }
}

/// Why events owe nothing. The three numbers add up to `unmatched`.
#[derive(Default, Serialize, ToSchema)]
pub struct UnmatchedReasons {
    /// Events to whose type and place no subscription listened.
    no_subscription: usize,
    /// Events to which subscriptions listened, but with conditions that were not met.
    conditions_not_met: usize,
    /// Events about the account's own destinations and deliveries (`destination.*`, `delivery.*`) that no subscription wanted.
    /// Events from producers are not among them.
    operational: usize,
}

#[derive(Default)]
pub struct Reckoned {
    pub accepted: Tally<EventId>,
    pub unmatched: Tally<EventId>,
    pub unmatched_reasons: UnmatchedReasons,
    pub matched: Tally<EventId>,
    /// The count comes from the index, the ids from the events' rows.
    pub owed: Tally<DeliveryId>,
    pub delivered: Tally<DeliveryId>,
    pub retrying: Tally<DeliveryId>,
    pub parked: Tally<DeliveryId>,
    pub exhausted: Tally<DeliveryId>,
    pub cancelled: Tally<DeliveryId>,
    pub pending: Tally<DeliveryId>,
    /// A part of the owed deliveries, in any state.
    pub recovered_by_audit: Tally<DeliveryId>,
    /// Events on which the index and the row disagree.
    pub disagreeing: Tally<EventId>,
}

impl UnmatchedReasons {
    fn count_of(&mut self, reason: UnmatchedReason, operational: bool) -> &mut usize {
        match reason {
            _ if operational => &mut self.operational,
            UnmatchedReason::NoSubscription => &mut self.no_subscription,
            UnmatchedReason::ConditionsNotMet => &mut self.conditions_not_met,
        }
    }
}

impl Reckoned {
    pub fn add(&mut self, looked: &Looked, standings: &HashMap<DeliveryId, DeliveryStanding>) {
        let event = &looked.place.event.id;
        if let Some(Begun { unmatched, operational }) = looked.begins {
            self.accepted.add(event);
            if let Some(reason) = unmatched {
                self.unmatched.add(event);
                *self.unmatched_reasons.count_of(reason, operational) += 1;
            }
            if looked.id.is_some() {
                self.matched.add(event);
            }
            if unmatched.is_some() == looked.id.is_some() {
                self.disagreeing.add(event);
            }
        }
        if let Some(id) = &looked.id {
            self.owed.add(id);
            self.add_delivery(id, standings.get(id));
        }
        // `owed` counts the deliveries that were found. Where an event ends, it is corrected to what the index says.
        if let Some(Ended { listed, found }) = looked.ends
            && listed != found
        {
            self.owed.count = (self.owed.count + listed).saturating_sub(found);
            if self.disagreeing.ids.last() != Some(event) {
                self.disagreeing.add(event);
            }
        }
    }

    /// Counts an owed delivery by the state in its row. Nothing else counts deliveries.
    fn add_delivery(&mut self, id: &DeliveryId, row: Option<&DeliveryStanding>) {
        let tally = match row.map(|row| row.state) {
            None => &mut self.pending,
            Some(DeliveryState::Delivered) => &mut self.delivered,
            Some(DeliveryState::Retrying { .. }) => &mut self.retrying,
            Some(DeliveryState::Parked) => &mut self.parked,
            Some(DeliveryState::Exhausted) => &mut self.exhausted,
            Some(DeliveryState::Cancelled) => &mut self.cancelled,
        };
        tally.add(id);
        if row.is_some_and(|row| row.recovered_by_audit) {
            self.recovered_by_audit.add(id);
        }
    }

    pub fn closes(&self) -> bool {
        let states = [&self.delivered, &self.retrying, &self.parked, &self.exhausted, &self.cancelled, &self.pending];
        self.accepted.count == self.unmatched.count + self.matched.count
            && self.owed.count == states.iter().map(|tally| tally.count).sum::<usize>()
            && self.disagreeing.count == 0
    }
}

#[cfg(test)]
mod tests {
    use domain::value::Timestamp;
    use ports::{EventPlace, Span};

    use super::*;
    use crate::resources::ledger::window::Place;

    /// What the walk finds of an event; `told` is the number of deliveries that it owes according to the index.
    fn looked(told: usize, unmatched: bool, found: u8) -> Vec<Looked> {
        let at = Timestamp::from_unix_ms(1);
        let unmatched = unmatched.then_some(UnmatchedReason::NoSubscription);
        let event = EventPlace { occurred_at: at, id: "evt-1".parse().expect("an id") };
        let ids = (0..found).map(|n| format!("dlv_{n:050}").parse().ok()).chain((found == 0).then_some(None));
        let last = usize::from(found).max(1) - 1;
        let looked = |(n, id): (usize, Option<DeliveryId>)| Looked {
            place: Place { span: Span { since: at, until: at }, event: event.clone(), within: None },
            id,
            is_new: n == 0,
            begins: (n == 0).then_some(Begun { unmatched, operational: false }),
            ends: (n == last).then_some(Ended { listed: told, found: found.into() }),
        };
        ids.enumerate().map(looked).collect()
    }

    #[track_caller]
    fn check(events: &[(usize, bool, u8)], closes: bool) {
        let mut reckoned = Reckoned::default();
        for one in events.iter().flat_map(|(told, unmatched, found)| looked(*told, *unmatched, *found)) {
            reckoned.add(&one, &HashMap::new());
        }
        assert_eq!(reckoned.owed.count, events.iter().map(|(told, ..)| told).sum::<usize>());
        assert_eq!((reckoned.closes(), reckoned.disagreeing.count == 0), (closes, closes));
    }

    #[test]
    fn the_ledger_closes_only_where_index_and_rows_agree() {
        check(&[], true);
        check(&[(2, false, 2), (0, true, 0)], true);
        // A row is missing, or has fewer or more deliveries than the index says.
        check(&[(2, false, 0)], false);
        check(&[(2, false, 1)], false);
        check(&[(2, false, 3)], false);
        // The event owes nothing without a reason, or owes something despite a reason.
        check(&[(0, false, 0)], false);
        check(&[(1, true, 1)], false);
        // Two mistakes that cancel each other out are still two.
        check(&[(2, false, 1), (1, false, 2)], false);
    }
}
