//! Reports deliveries that were given up, apart from what is due. Each is looked at once, to report it. If that fails,
//! it is looked at again, after what is due by then.

use std::collections::VecDeque;
use std::time::Duration;

use domain::value::Timestamp;
use futures_util::{StreamExt, stream};
use ports::{Due, PortResult};

use crate::due::AHEAD;
use crate::failures::Row;
use crate::send::find;
use crate::share::{Part, Share, Went};
use crate::tell;
use crate::unit::{Kept, Left};

/// How long after a failed report it is tried again: after everything that this run still looks at.
const TELL_AGAIN: Duration = AHEAD.saturating_mul(2);
/// How many are reported at once.
const AT_ONCE: usize = 20;

/// The deliveries that are to be reported.
#[derive(Default)]
pub(crate) struct Told {
    left: VecDeque<Due>,
}

impl Told {
    pub(crate) fn add(&mut self, ended: Vec<Due>) {
        self.left.extend(ended);
    }
}

impl Part for Told {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        while !self.left.is_empty() && share.goes_on() {
            let together: Vec<Due> = self.left.drain(..AT_ONCE.min(self.left.len())).collect();
            let looks = together.into_iter().map(|due| async move {
                let destination = due.id.destination();
                if share.failures.leaves_alone(&due.account, Some(&destination)) {
                    return;
                }
                match look(share, &due).await {
                    Ok(()) => share.failures.worked(&due.account, Some(&destination)),
                    Err(error) => {
                        let (account, id) = (&due.account, &due.id);
                        let row = Row { account, destination: Some(&destination), what: "delivery", id };
                        share.failures.failed(row, &error);
                    }
                }
            });
            stream::iter(looks).buffer_unordered(AT_ONCE).collect::<()>().await;
        }
        Ok(if self.left.is_empty() { Went::ToTheEnd } else { Went::OutOfTime })
    }

    fn left(&self, _now: Timestamp) -> Vec<Left> {
        let since = self.left.iter().map(|due| due.look_at).min();
        since.map(|since| Left { shard: 0, since, parts: 1 }).into_iter().collect()
    }

    /// It hands out nothing: deliveries that are not reported are listed again with what is due.
    fn keep(&mut self, _kept: &Kept) {}
}

async fn look(share: Share<'_>, due: &Due) -> PortResult<()> {
    let deps = share.deps;
    let Some(record) = find(deps, &due.account, &due.id).await? else { return Ok(()) };
    if record.look_at() != Some(due.look_at) || !record.state().is_final() {
        return Ok(());
    }
    let told = record.exhaustion().is_none() || tell::exhausted(deps, &record).await;
    let again_at = (!told).then(|| deps.clock.now().plus(TELL_AGAIN));
    deps.deliveries.replace_delivery(&record, &record.told(again_at)).await?;
    Ok(())
}
