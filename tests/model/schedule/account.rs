//! The check of a schedule's result.

use std::collections::BTreeSet;

use domain::attempt::{Jitter, NextStep, Outcome, RetryPolicy};
use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};

use super::{Faults, Report, World};

impl World {
    pub(super) fn unfinished(&self, now: Timestamp) -> String {
        let store = &self.shared.store;
        let rows = store.deliveries().into_iter().filter(|row| row.look_at().is_some() || !row.state().is_final());
        let rows: Vec<_> = rows.map(|row| (row.delivery.id, row.held)).collect();
        let watched = store.destinations().into_iter().filter(|one| one.look_at().is_some());
        let watched: Vec<_> = watched.map(|destination| (destination.id, destination.health)).collect();
        let (notes, queues) =
            (store.seal_notes_left(), (self.shared.events.next_visible(), self.shared.deliveries.next_visible()));
        format!("there is still something to do at {now}: {rows:?}, {watched:?}, {notes:?}, {queues:?}")
    }

    /// Checks that everything owed ended, and visibly so.
    pub(super) fn account(&self) -> Result<Report, String> {
        let (store, receivers) = (&self.shared.store, &self.shared.receivers);
        let mut wrong = receivers.broken();
        wrong.extend_from_slice(&self.wrong);
        let mut report = Report {
            attempts: receivers.attempts(),
            lost: self.shared.deliveries.lost(),
            crashes: self.crashes,
            calls: self.seen.calls,
            failed_calls: self.seen.failed_calls,
            poisoned: self.seen.poisoned,
            races: self.shared.table.judge.races(),
            ..Report::default()
        };
        for owner in self.width.keys() {
            if store.has_account(owner) {
                self.account_for(owner, &mut report, &mut wrong);
            } else if self.is_deleted(owner) {
                report.deleted += 1;
                self.nothing_left_of(owner, &mut wrong);
            } else {
                wrong.push(format!("{owner} is gone, and nobody deleted it"));
            }
        }
        // If the queue loses nothing, and too few faults delay a delivery beyond the horizon, the audit must find
        // nothing.
        let little = |once_in: u64| once_in == 0 || once_in >= 200;
        let Faults { failing, crashing, slow, special } = self.faults;
        let wide = self.width.values().any(|width| *width > 1_000);
        let ours = !little(failing) || !little(crashing) || slow > 0 || special || wide;
        if !self.shared.deliveries.loses() && !ours && report.recovered > 0 {
            wrong.push(format!("the audit had to recover {} though nothing was lost", report.recovered));
        }
        if wrong.is_empty() { Ok(report) } else { Err(wrong.join("\n")) }
    }

    fn account_for(&self, owner: &AccountId, report: &mut Report, wrong: &mut Vec<String>) {
        let mut events = self.shared.store.events();
        events.retain(|event| event.account == *owner);
        let pushed = self.pushed.iter().filter(|(of, _)| of == owner);
        let pushed: BTreeSet<&str> = pushed.map(|(_, id)| id.as_str()).collect();
        // The others are operational events.
        let of_producers = || events.iter().filter(|event| !event.event_type.is_operational());
        let sealed: BTreeSet<&str> = of_producers().map(|event| event.id.as_str()).collect();
        if pushed != sealed {
            wrong.push(format!("{pushed:?} were pushed, and {sealed:?} sealed"));
        }
        // Somebody may have subscribed to something more in the meantime.
        let width = self.width.get(owner).copied().unwrap_or_default();
        for event in of_producers().filter(|event| !(width..=width + 1).contains(&event.owed.len())) {
            wrong.push(format!("{} owes {} of {width}", event.id, event.owed.len()));
        }
        let mut owed: BTreeSet<DeliveryId> =
            events.iter().flat_map(|event| &event.owed).map(|delivery| delivery.id.clone()).collect();
        report.told += events.len() - sealed.len();
        report.owed += owed.len();
        let mut rows = self.shared.store.deliveries();
        rows.retain(|row| row.delivery.account == *owner);
        for row in &rows {
            if !owed.remove(&row.delivery.id) {
                wrong.push(format!("{} has a row and is not owed", row.delivery.id));
            }
            report.recovered += usize::from(row.recovered_by_audit);
            wrong.extend(self.account_for_row(row, report).err());
        }
        wrong.extend(owed.iter().map(|id| format!("{id} is owed and nothing became of it")));
    }

    fn account_for_row(&self, row: &DeliveryRecord, report: &mut Report) -> Result<(), String> {
        let id = &row.delivery.id;
        match row.state() {
            DeliveryState::Delivered if self.shared.receivers.took(id) => report.delivered += 1,
            DeliveryState::Delivered => return Err(format!("{id} is said to be delivered, and nobody took it")),
            DeliveryState::Exhausted => report.exhausted += 1,
            DeliveryState::Cancelled if self.seen.cancelled.contains(id) => report.cancelled += 1,
            state => return Err(format!("{id} is {} in the end", state.as_str())),
        }
        let made = self.shared.table.judge.requests.count(id);
        if usize::try_from(row.attempts.count()).is_ok_and(|recorded| recorded > made) {
            return Err(format!("{id} was attempted {made} times, and its row says {}", row.attempts.count()));
        }
        let sent_again = self.seen.again.contains(id) || self.seen.recovered.contains(&row.delivery.destination);
        if !sent_again && self.shared.receivers.was_reopened(id) {
            return Err(format!("{id} was given up and sent again, and nobody asked for that"));
        }
        let (most, count) = (self.most_attempts(&row.delivery.destination), row.attempts.scheduled());
        let at_once = self.shared.receivers.attempted_at_once(id);
        if !sent_again && count > most + at_once {
            let beside = format!("its schedule has {most}, and {at_once} may have been made beside others");
            return Err(format!("{id} was attempted {count} times; {beside}"));
        }
        Ok(())
    }

    /// How many attempts the schedule of a destination has.
    fn most_attempts(&self, id: &DestinationId) -> u32 {
        let known = self.destinations.iter().find(|destination| destination.id == *id).expect("a destination");
        let policies = RetryPolicy::default();
        let policy = known.settings.retry_policy.policy(&policies);
        let ends = |attempt: &u32| {
            policy.next_step(*attempt, &Outcome::TimedOut, Jitter::from_entropy(0)) == NextStep::Exhausted
        };
        (1..100).find(ends).expect("a schedule that ends")
    }

    /// Checks that a deleted account left nothing behind.
    fn nothing_left_of(&self, owner: &AccountId, wrong: &mut Vec<String>) {
        let store = &self.shared.store;
        let rows = store.deliveries().into_iter().filter(|row| row.delivery.account == *owner);
        wrong.extend(rows.map(|row| format!("{} outlived its account", row.delivery.id)));
        let events = store.events().into_iter().filter(|event| event.account == *owner);
        wrong.extend(events.map(|event| format!("{} outlived its account", event.id)));
        let destinations = store.destinations().into_iter().filter(|destination| destination.account == *owner);
        wrong.extend(destinations.map(|destination| format!("{} outlived its account", destination.id)));
    }
}
