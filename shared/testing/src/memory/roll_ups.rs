//! Roll-ups in memory.

use async_trait::async_trait;
use domain::delivery::{DeliveryRecord, DeliveryResult, RollUp};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{ByShard, DueRollUp, FindRollUp, Order, PortResult, RollUps, RolledUpTo, Span};

use super::MemoryStore;

fn result(record: DeliveryRecord) -> DeliveryResult {
    let attempts = record.attempts.kept().iter().map(|attempt| (attempt.outcome.is_delivered(), attempt.took));
    DeliveryResult::new(record.delivery.id.clone(), record.state(), attempts)
}

#[async_trait]
impl FindRollUp for MemoryStore {
    async fn find_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<Option<RollUp>> {
        let rows = self.call("find_roll_up")?;
        Ok(rows.roll_ups.get(&(account.clone(), destination.clone())).map(|(roll_up, _)| roll_up.clone()))
    }
}

#[async_trait]
impl RollUps for MemoryStore {
    async fn store_roll_up(
        &self,
        before: Option<Timestamp>,
        after: &RollUp,
        look_at: Option<Timestamp>,
    ) -> PortResult<bool> {
        let mut rows = self.call("store_roll_up")?;
        let key = (after.account.clone(), after.destination.clone());
        if rows.roll_ups.get(&key).map(|(stored, _)| stored.computed_at) != before {
            return Ok(false);
        }
        rows.roll_ups.insert(key, (after.clone(), look_at));
        Ok(true)
    }

    async fn forget_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()> {
        self.call("forget_roll_up")?.roll_ups.remove(&(account.clone(), destination.clone()));
        Ok(())
    }

    async fn due_roll_ups(
        &self,
        until: Timestamp,
        after: Option<&DueRollUp>,
        limit: usize,
    ) -> PortResult<Vec<DueRollUp>> {
        let rows = self.call("due_roll_ups")?;
        let due = rows.roll_ups.iter().filter_map(|((account, destination), (_, look_at))| {
            let (look_at, account, destination) = ((*look_at)?, account.clone(), destination.clone());
            Some(DueRollUp { look_at, account, destination })
        });
        let due = due.filter(|due| due.look_at <= until && after.is_none_or(|after| due > after));
        let mut due: Vec<_> = due.collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }

    async fn list_results(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        span: Span,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryResult>> {
        let rows = self.call("list_results")?;
        let found = rows.deliveries_within(account, destination, span, Order::NewestFirst, after, limit);
        Ok(found.into_iter().map(result).collect())
    }

    async fn rolled_up_to(&self) -> PortResult<ByShard<RolledUpTo>> {
        Ok(self.call("rolled_up_to")?.rolled_up_to.clone())
    }

    async fn set_rolled_up_to(&self, shards: &ByShard<RolledUpTo>) -> PortResult<()> {
        self.call("set_rolled_up_to")?.rolled_up_to.extend(shards.clone());
        Ok(())
    }
}
