//! Places for running tests, in memory.

use async_trait::async_trait;
use domain::value::{AccountId, Timestamp};
use ports::{PortResult, TakenPlace, TestPlace, TestPlaces};

use super::MemoryStore;

#[async_trait]
impl TestPlaces for MemoryStore {
    async fn take_test_place(
        &self,
        account: &AccountId,
        now: Timestamp,
        until: Timestamp,
        places: u8,
    ) -> PortResult<TakenPlace> {
        let mut rows = self.call("take_test_place")?;
        let mut free_at = until;
        for number in 0..places {
            match rows.test_places.get(&(account.clone(), number)) {
                Some(taken) if *taken > now => free_at = free_at.min(*taken),
                _ => {
                    rows.test_places.insert((account.clone(), number), until);
                    return Ok(TakenPlace::Taken(TestPlace { number, until }));
                }
            }
        }
        Ok(TakenPlace::None { free_at })
    }

    async fn leave_test_place(&self, account: &AccountId, place: TestPlace) -> PortResult<()> {
        let mut rows = self.call("leave_test_place")?;
        if rows.test_places.get(&(account.clone(), place.number)) == Some(&place.until) {
            rows.test_places.remove(&(account.clone(), place.number));
        }
        Ok(())
    }
}
