//! Deletes an account, with everything that belongs to it.

use shared::domain::id::AccountId;
use shared::ports::{Held, PortError, PortResult};

use crate::jobs::{Progress, Taken};

/// Rows deleted between two records of progress.
const STEP: usize = 500;

pub(crate) async fn delete_account(taken: &mut Taken<'_>, account: &AccountId) -> PortResult<Progress> {
    let marked = taken.deps.accounts.read_account(account).await?.and_then(|account| account.deletion);
    if marked.as_ref() != Some(&taken.job.id) {
        // What is there now is not what was to be deleted.
        return Err(PortError::permanent("deleting the account", "the account does not name this job"));
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
    match taken.deps.purge.end_deletion(account, &ended, taken.lease()).await? {
        Held::Held => Ok(Progress::Ended),
        Held::Lost => Ok(Progress::Lost),
    }
}
