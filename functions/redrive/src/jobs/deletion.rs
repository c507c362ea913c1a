//! Deletes an account and everything that belongs to it.

use domain::delivery::job::SETTLE;
use domain::value::AccountId;
use ports::{Held, PortError, PortResult};

use super::taken::{Progress, Taken};

/// How many rows are deleted between two records of progress.
const STEP: usize = 500;

pub(super) async fn delete_account(taken: &mut Taken<'_>, account: &AccountId) -> PortResult<Progress> {
    let marked = taken.deps.accounts.read_account(account).await?.and_then(|account| account.deletion);
    if marked.as_ref() != Some(&taken.job.id) {
        // What exists now is not what was meant to be deleted.
        return Err(PortError::permanent("deleting the account", "the account does not name this job"));
    }
    // What was admitted before must end first: requests from before the account was marked, and attempts from before
    // its destinations were closed.
    let closed = taken.deps.purge.close_destinations(account).await?;
    let since = if closed > 0 { taken.deps.clock.now() } else { taken.job.created_at };
    let settled = since.plus(SETTLE);
    if settled > taken.deps.clock.now() {
        taken.put_off(settled).await?;
        return Ok(Progress::PutOff);
    }
    loop {
        if !taken.has_time() {
            return Ok(Progress::OutOfTime);
        }
        let purged = taken.deps.purge.purge_account(account, STEP).await?;
        if taken.progressed(purged.deleted).await? == Held::Lost {
            return Ok(Progress::Lost);
        }
        if !purged.more {
            break;
        }
    }
    let mut ended = taken.job.clone();
    ended.succeeded(taken.deps.clock.now());
    match taken.deps.purge.end_deletion(account, &ended, &taken.lease).await? {
        Held::Held => Ok(Progress::Ended),
        Held::Lost => Ok(Progress::Lost),
    }
}
