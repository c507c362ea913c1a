//! What is checked while a schedule is played: what processes of `deliver` acknowledge, and whether `redrive` looks in
//! time.

use std::time::Duration;

use domain::delivery::{DeliveryMessage, DeliveryState, Held, Purpose};
use domain::value::Timestamp;

use super::World;
use crate::processes::Deliver;
use crate::queue::Message;
use crate::witness::Known;

/// How long after the last fault everything is on time again.
const SETTLED: Duration = Duration::from_secs(1_200);
/// How late `redrive`, which runs each minute, may look at something without faults.
const LATEST: Duration = Duration::from_secs(150);

impl World {
    /// Without faults, `redrive` looks at each row in time: a delivery whose message is lost is sent again when the lease has
    /// run out, and no later.
    pub(super) fn check_looked_at(&mut self, now: Timestamp) {
        if now < self.calm_from.plus(SETTLED) {
            return;
        }
        if let Some(look_at) = self.shared.store.next_look().filter(|look_at| look_at.plus(LATEST) < now) {
            self.wrong
                .push(format!("nobody looked at {look_at} at something that was to be looked at then; now is {now}"));
        }
    }

    /// What was attempted and acknowledged is recorded as an attempt, and what was answered with a success as delivered,
    /// whatever happened beside it.
    pub(super) fn check_acknowledged(&mut self, process: &Deliver, done: &[&Message], kept: &[&Message]) {
        for (id, delivered) in process.attempted() {
            // Of two messages of a delivery in one batch, the other may be the one that was answered.
            if kept.iter().any(|message| message.body.contains(id.as_str())) {
                continue;
            }
            let Some(message) = done.iter().find(|message| message.body.contains(id.as_str())) else { continue };
            let Ok(read) = serde_json::from_str::<DeliveryMessage>(&message.body) else { continue };
            let owner = &read.delivery.account;
            let row = self.shared.store.delivery(owner, &id);
            if row.is_none() && (!self.shared.store.has_account(owner) || self.is_deleted(owner)) {
                continue;
            }
            let least = self.seen.acknowledged.entry(id.clone()).or_default();
            *least += 1;
            let (state, recorded) =
                row.map(|row| (row.state(), row.attempts.count())).map_or((None, 0), |(state, n)| (Some(state), n));
            if recorded < *least {
                self.wrong
                    .push(format!("{id} was attempted and acknowledged {least} times, and its row says {recorded}"));
            }
            if delivered && state != Some(DeliveryState::Delivered) {
                self.wrong
                    .push(format!("{id} was answered with a success and acknowledged, and its row says {state:?}"));
            }
        }
    }

    /// Whoever acknowledged a message knew that the queue does not hold the delivery by it.
    pub(super) fn check_let_go(&mut self, process: &Deliver, done: &[&Message], kept: &[&Message]) {
        for message in done {
            let Ok(read) = serde_json::from_str::<DeliveryMessage>(&message.body) else { continue };
            let (owner, id) = (&read.delivery.account, &read.delivery.id);
            let of_delivery = |message: &&&Message| message.body.contains(id.as_str());
            // What was learned for one of several messages is not told apart.
            let several = done.iter().chain(kept).filter(of_delivery).count() > 1;
            if several || !self.shared.store.has_account(owner) || self.is_deleted(owner) {
                continue;
            }
            let lets_go = match process.knows(id) {
                // The queue holds nothing by the message of a probe.
                Some(Known::Held(Held::ByQueue { .. })) => read.purpose == Purpose::Probe,
                known => known.is_some_and(Known::lets_go),
            };
            if !lets_go {
                let known = process.knows(id);
                self.wrong
                    .push(format!("{id} was acknowledged, and may have no message: {known:?} was known of its row"));
            }
        }
    }
}
