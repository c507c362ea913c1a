//! What people do while everything runs: calls of the API by customers and the operator, and rows that break until
//! somebody corrects them.

use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId};
use testing::account;
use tokio::task::JoinSet;

use super::{Asked, Poisoned, Process, Worked, World};
use crate::api::{Api, Call};
use crate::processes::{Deliver, Ended, Fanout, Redrive};

impl World {
    /// One of the deliveries that have a row: rather one that a process has in hand, if there is one.
    fn some_delivery(&self) -> Option<(AccountId, DeliveryId)> {
        let mut known = self.shared.store.deliveries();
        let in_hand = |record: &DeliveryRecord| self.shared.receivers.is_in_hand(&record.delivery.id);
        if self.shared.dice.once_in(2) && known.iter().any(in_hand) {
            known.retain(in_hand);
        }
        let n = usize::try_from(self.shared.dice.below(known.len() as u64)).unwrap_or_default();
        known.get(n).map(|record| (record.delivery.account.clone(), record.delivery.id.clone()))
    }

    /// One of the pushed events.
    fn some_event(&self) -> Option<(AccountId, String)> {
        let n = usize::try_from(self.shared.dice.below(self.pushed.len() as u64)).unwrap_or_default();
        self.pushed.iter().nth(n).cloned()
    }

    /// Calls the API, if there is something that the call can be about.
    pub(super) fn ask(&mut self, asked: Asked, running: &mut JoinSet<Worked>) {
        let of = |n: usize| (self.destinations[n].account.clone(), self.destinations[n].id.clone());
        let call = match asked {
            Asked::Resend => self.some_delivery().map(|(owner, id)| (owner, Call::Resend(id))),
            Asked::Cancel => self.some_delivery().map(|(owner, id)| (owner, Call::Cancel(id))),
            Asked::Pause(n) => Some(of(n)).map(|(owner, id)| (owner, Call::Pause(id))),
            Asked::Resume(n) => Some(of(n)).map(|(owner, id)| (owner, Call::Resume(id))),
            Asked::Recover(n) => Some(of(n)).map(|(owner, id)| (owner, Call::Recover(id))),
            Asked::Replay => {
                let event = self.some_event();
                event.and_then(|(owner, id)| Some((owner, Call::Replay(id.parse().ok()?))))
            }
            Asked::Delete => Some((account("rival"), Call::Delete(account("rival")))),
        };
        let Some((owner, call)) = call else { return };
        self.call(owner, call, running);
    }

    /// Repeats the replays that were interrupted, as their answers say.
    pub(super) fn finish_replays(&mut self, running: &mut JoinSet<Worked>) {
        for id in std::mem::take(&mut self.seen.unfinished) {
            let owner = self.pushed.iter().find(|(_, pushed)| pushed == id.as_str()).map(|(owner, _)| owner.clone());
            if let Some(owner) = owner {
                self.call(owner, Call::Replay(id), running);
            }
        }
    }

    fn call(&mut self, owner: AccountId, call: Call, running: &mut JoinSet<Worked>) {
        match &call {
            Call::Cancel(id) => drop(self.seen.cancelled.insert(id.clone())),
            Call::Resend(id) => drop(self.seen.again.insert(id.clone())),
            Call::Recover(id) => drop(self.seen.recovered.insert(id.clone())),
            Call::Delete(_) => self.seen.deletion = true,
            Call::Pause(_) | Call::Resume(_) | Call::Replay(_) => {}
        }
        let api = Api::start(&self.shared, self.chaos());
        running.spawn_local(async move {
            let status = api.call(&owner, &call).await;
            (Ended::Answered(Vec::new()), Vec::new(), Process::Api(call, status))
        });
    }

    pub(super) fn answered(&mut self, call: &Call, status: Option<u16>) {
        if let (Call::Replay(id), None | Some(500..)) = (call, status) {
            self.seen.unfinished.insert(id.clone());
        }
        match status {
            Some(200..300) => self.seen.calls += 1,
            // A crash, a failure of ours, or something that cannot be done at this moment.
            None | Some(404 | 409 | 410 | 429 | 500 | 503) => self.seen.failed_calls += 1,
            Some(other) => self.wrong.push(format!("{call:?} was answered with {other}")),
        }
    }

    pub(super) fn poison(&mut self, what: Poisoned) {
        let table = self.shared.table.clone();
        self.seen.poisoned += 1;
        match what {
            Poisoned::DeliveryRead => self.some_delivery().iter().for_each(|(_, id)| table.poison_reads(id.as_str())),
            Poisoned::DeliveryWrite => self.some_delivery().iter().for_each(|(_, id)| table.poison_writes(id.as_str())),
            Poisoned::EventRead => self.some_event().iter().for_each(|(_, id)| table.poison_reads(id)),
            Poisoned::EventWrite => self.some_event().iter().for_each(|(_, id)| table.poison_writes(id)),
            Poisoned::Health(n) if self.shared.dice.once_in(2) => table.poison_reads(self.destinations[n].id.as_str()),
            Poisoned::Health(n) => table.poison_writes(self.destinations[n].id.as_str()),
        }
    }

    pub(super) fn is_deleted(&self, owner: &AccountId) -> bool {
        self.seen.deletion && *owner == account("rival")
    }

    /// Replaces each idle process by one with today's configuration; the others are replaced when they end.
    pub(super) fn with_processes_again(&mut self) {
        let (fanouts, delivers, redrives) = (self.fanouts.len(), self.delivers.len(), self.redrives.len());
        self.fanouts = (0..fanouts).map(|_| Fanout::start(&self.shared, self.chaos())).collect();
        self.delivers = (0..delivers).map(|_| Deliver::start(&self.shared, self.chaos())).collect();
        self.redrives = (0..redrives).map(|_| Redrive::start(&self.shared, self.chaos())).collect();
    }
}
