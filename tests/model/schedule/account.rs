//! The check of a schedule's result.

use std::collections::BTreeSet;

use domain::delivery::DeliveryState;
use domain::value::Timestamp;

use super::{Report, World};

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
        let (events, rows) = (store.events(), store.deliveries());
        let mut report =
            Report { attempts: receivers.attempts(), lost: self.shared.deliveries.lost(), ..Report::default() };
        report.crashes = self.crashes;
        let pushed: BTreeSet<&str> = self.pushed.iter().map(String::as_str).collect();
        // The others are operational events.
        let of_producers = || events.iter().filter(|event| !event.event_type.is_operational());
        let sealed: BTreeSet<&str> = of_producers().map(|event| event.id.as_str()).collect();
        if pushed != sealed {
            wrong.push(format!("{pushed:?} were pushed, and {sealed:?} sealed"));
        }
        let mut owed = BTreeSet::new();
        for event in of_producers().filter(|event| event.owed.len() != self.destinations.len()) {
            wrong.push(format!("{} owes {} of {}", event.id, event.owed.len(), self.destinations.len()));
        }
        for event in &events {
            owed.extend(event.owed.iter().map(|delivery| delivery.id.clone()));
        }
        report.told = events.len() - sealed.len();
        report.owed = owed.len();
        for row in &rows {
            let id = &row.delivery.id;
            if !owed.remove(id) {
                wrong.push(format!("{id} has a row and is not owed"));
            }
            report.recovered += usize::from(row.recovered_by_audit);
            match row.state() {
                DeliveryState::Delivered if receivers.took(id) => report.delivered += 1,
                DeliveryState::Delivered => wrong.push(format!("{id} is said to be delivered, and nobody took it")),
                DeliveryState::Exhausted => report.exhausted += 1,
                state => wrong.push(format!("{id} is {} in the end", state.as_str())),
            }
        }
        // If the queue loses nothing, and too few faults delay a delivery beyond the horizon, the audit must find
        // nothing.
        let little = |once_in: u64| once_in == 0 || once_in >= 200;
        if !self.shared.deliveries.loses() && little(self.failing) && little(self.crashing) && report.recovered > 0 {
            wrong.push(format!("the audit had to recover {} though nothing was lost", report.recovered));
        }
        wrong.extend(owed.iter().map(|id| format!("{id} is owed and nothing became of it")));
        if wrong.is_empty() { Ok(report) } else { Err(wrong.join("\n")) }
    }
}
