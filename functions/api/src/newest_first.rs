//! The deliveries of many destinations as one list, newest first, merged from a page of each: there is no index on
//! deliveries. At most [`AT_ONCE`] pages are read at once, and pages grow as more of a destination is needed.

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use shared::domain::delivery::DeliveryRecord;
use shared::domain::id::{AccountId, DeliveryId, DestinationId};
use shared::domain::timestamp::Timestamp;
use shared::ports::{OlderThan, PortResult, Span};

use crate::Deps;

/// How many pages are read at once.
const AT_ONCE: usize = 20;
/// The smallest and the largest page.
const PAGES: (usize, usize) = (5, 100);

/// A delivery's place among those of all destinations.
#[derive(PartialEq, Eq)]
struct Place(DeliveryId);

impl Ord for Place {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.by_time().cmp(&other.0.by_time())
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// One destination's deliveries, as far as they were read.
struct Source {
    destination: DestinationId,
    read: VecDeque<DeliveryRecord>,
    /// Where the next page begins; `None` when there is none.
    next: Option<OlderThan>,
    page: usize,
}

pub struct NewestFirst {
    deps: Arc<Deps>,
    account: AccountId,
    since: Timestamp,
    sources: Vec<Source>,
    /// The newest unread delivery of each source, and which source that is.
    heads: BinaryHeap<(Place, usize)>,
}

impl NewestFirst {
    /// Begins after the delivery `after`, or at the end of the span; about `wanted` deliveries will be asked for.
    pub async fn begin(
        deps: Arc<Deps>,
        account: AccountId,
        destinations: Vec<DestinationId>,
        span: Span,
        after: Option<&DeliveryId>,
        wanted: usize,
    ) -> PortResult<Self> {
        let page = (2 * wanted.div_ceil(destinations.len().max(1))).clamp(PAGES.0, PAGES.1);
        let begin = |destination| {
            let next = Some(begin(&destination, span.until, after));
            Source { destination, read: VecDeque::new(), next, page }
        };
        let sources = stream::iter(destinations.into_iter().map(begin)).map(|mut source| {
            let (deps, account) = (Arc::clone(&deps), account.clone());
            async move {
                source.read_page(&deps, &account, span.since).await?;
                Ok(source)
            }
        });
        let sources: Vec<Source> = sources.buffered(AT_ONCE).try_collect().await?;
        let heads = sources.iter().enumerate().filter_map(|(n, source)| Some((source.head()?, n))).collect();
        Ok(Self { deps, account, since: span.since, sources, heads })
    }

    /// The next older delivery.
    pub async fn next(&mut self) -> PortResult<Option<DeliveryRecord>> {
        let Some((_, n)) = self.heads.pop() else { return Ok(None) };
        let source = &mut self.sources[n];
        let record = source.read.pop_front();
        if source.read.is_empty() {
            source.read_page(&self.deps, &self.account, self.since).await?;
        }
        self.heads.extend(source.head().map(|head| (head, n)));
        Ok(record)
    }
}

/// Where a destination's deliveries go on after `after`, which may be another destination's.
fn begin(destination: &DestinationId, until: Timestamp, after: Option<&DeliveryId>) -> OlderThan {
    let Some(after) = after.filter(|after| after.occurred_at() < until) else { return OlderThan::Time(until) };
    let time = after.occurred_at();
    match destination.cmp(&after.destination()) {
        std::cmp::Ordering::Equal => OlderThan::Delivery(after.clone()),
        // Within a millisecond, a smaller destination comes later in the list: none of its deliveries was shown.
        std::cmp::Ordering::Less => OlderThan::Time(Timestamp::from_unix_ms(time.unix_ms() + 1)),
        std::cmp::Ordering::Greater => OlderThan::Time(time),
    }
}

impl Source {
    fn head(&self) -> Option<Place> {
        self.read.front().map(|record| Place(record.delivery.id.clone()))
    }

    async fn read_page(&mut self, deps: &Deps, account: &AccountId, since: Timestamp) -> PortResult<()> {
        let Some(older) = self.next.take() else { return Ok(()) };
        let listed = deps.delivery_list.list_deliveries(account, &self.destination, since, &older, self.page).await?;
        if listed.len() == self.page {
            self.next = listed.last().map(|record| OlderThan::Delivery(record.delivery.id.clone()));
        }
        self.page = (2 * self.page).min(PAGES.1);
        self.read.extend(listed);
        Ok(())
    }
}
