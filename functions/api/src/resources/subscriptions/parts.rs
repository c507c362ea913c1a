//! The subscriptions of an account in the order of their ids, read a part at a time, as many as one request may read. It is
//! used by requests that need all of them.

use domain::routing::Subscription;
use domain::value::{AccountId, SubscriptionId};
use ports::{Order, PortResult, read_units};

use crate::web::Deps;

/// How many subscriptions a part has.
const PART: usize = 100;
/// The greatest cost of a part, in read units: a row has at most 5 KiB, and is read consistently.
pub const PART_UNITS: usize = 125;

pub enum Part {
    Read(Vec<Subscription>),
    /// All were read.
    Ended,
    /// The next part may cost more than the request may still read.
    TooMuch,
}

pub struct Parts<'a> {
    deps: &'a Deps,
    account: &'a AccountId,
    after: Option<SubscriptionId>,
    /// The read units that must be left for other uses after a part has been read.
    kept: usize,
    ended: bool,
}

impl<'a> Parts<'a> {
    /// The subscriptions that follow `after`.
    pub fn new(deps: &'a Deps, account: &'a AccountId, after: Option<SubscriptionId>, kept: usize) -> Self {
        Self { deps, account, after, kept, ended: false }
    }

    pub async fn next(&mut self) -> PortResult<Part> {
        if self.ended {
            return Ok(Part::Ended);
        }
        if read_units::left_for(PART_UNITS + self.kept) == 0 {
            return Ok(Part::TooMuch);
        }
        let (list, after) = (&self.deps.subscriptions, self.after.as_ref());
        let read = list.list_subscriptions(self.account, Order::OldestFirst, after, PART).await?;
        self.ended = read.len() < PART;
        self.after = read.last().map(|last| last.id.clone());
        Ok(Part::Read(read))
    }
}
