//! What was pushed while a permission was missing. Nothing of it may be lost: it arrives when the permission is back.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::Result;
use tests::world::World;

/// A record that failed comes back after seconds, and a hidden one after the queue's visibility timeout.
const LATEST: Duration = Duration::from_secs(90);

/// An account to which so many deliveries are owed.
pub struct Owed {
    pub world: World,
    pub deliveries: usize,
}

impl Owed {
    /// Waits until every delivery was accepted.
    pub async fn arrived(&self) -> Result<()> {
        let what = format!("{} deliveries of {}", self.deliveries, self.world.customer.account());
        let all = |requests: &[harness::receiver::Received]| {
            let accepted = requests.iter().filter(|request| request.answered == Some(200));
            accepted.map(|request| request.delivery_id()).collect::<BTreeSet<_>>().len() >= self.deliveries
        };
        self.world.receiver.await_requests(&what, LATEST, all).await.map(drop)
    }
}
