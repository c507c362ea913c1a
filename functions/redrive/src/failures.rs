//! Handles failures of single rows while a part of a run continues. Each row fails alone: it is logged for the
//! operator, skipped, and tried again by the next run.
//!
//! - A row that fails permanently is poisoned: it cannot be read or written until somebody corrects it. Each run logs
//!   it as one error with `counted = "poisoned_row"`; after a hundred in a run they are only counted.
//! - If five consecutive rows of a destination fail with errors that may pass, the rest of the run skips that
//!   destination: its part of the table may be throttled.
//! - If twenty consecutive rows of several accounts fail, or three consecutive lists or sends, everything is affected:
//!   the part ends early.
//!
//! Every failure makes the run return an error, which an alarm counts.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::value::{AccountId, DestinationId};
use ports::{PortError, PortResult};
use runtime::telemetry::ErrorChain;
use tracing::{error, warn};

/// A part ends after this many consecutive failures that may pass, of several accounts.
const IN_A_ROW: u32 = 20;
/// A destination is skipped after this many consecutive failures that may pass.
const OF_ONE: u32 = 5;
/// A part ends after this many consecutive failures of lists or of sends.
const OF_EVERYTHING: u32 = 3;
/// How many rows are logged in a run; further ones are only counted.
const TOLD: u64 = 100;

/// What failed.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) account: &'a AccountId,
    /// The destination that it belongs to, if it belongs to one.
    pub(crate) destination: Option<&'a DestinationId>,
    /// The kind of row, such as `delivery`.
    pub(crate) what: &'static str,
    pub(crate) id: &'a (dyn Display + Sync),
}

type Owner = (AccountId, Option<DestinationId>);

#[derive(Default)]
struct Seen {
    rows: u64,
    others: u64,
    in_a_row: u32,
    of_accounts: HashSet<AccountId>,
    of_one: HashMap<Owner, u32>,
    lists: u32,
    sends: u32,
}

/// The failures of one part of a run.
pub(crate) struct Failures {
    part: &'static str,
    seen: Mutex<Seen>,
}

impl Failures {
    pub(crate) fn of(part: &'static str) -> Self {
        Self { part, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a row was handled.
    pub(crate) fn worked(&self, account: &AccountId, destination: Option<&DestinationId>) {
        let mut seen = self.seen();
        seen.in_a_row = 0;
        seen.of_accounts.clear();
        if !seen.of_one.is_empty() {
            seen.of_one.remove(&(account.clone(), destination.cloned()));
        }
    }

    /// Records that a row could not be handled, and logs it for the operator.
    pub(crate) fn failed(&self, row: Row<'_>, error: &PortError) {
        let mut seen = self.seen();
        if matches!(error, PortError::Transient { .. }) {
            seen.in_a_row += 1;
            seen.of_accounts.insert(row.account.clone());
            *seen.of_one.entry((row.account.clone(), row.destination.cloned())).or_default() += 1;
        }
        self.tell_row(&mut seen, row, error);
    }

    /// Logs a row that failed; the caller decides what follows.
    pub(crate) fn tell(&self, row: Row<'_>, error: &PortError) {
        let mut seen = self.seen();
        self.tell_row(&mut seen, row, error);
        seen.rows -= 1;
    }

    fn tell_row(&self, seen: &mut Seen, row: Row<'_>, failed: &PortError) {
        seen.rows += 1;
        if seen.rows > TOLD {
            return;
        }
        let (part, Row { account, what, id, .. }) = (self.part, row);
        match failed {
            PortError::Permanent { .. } => error!(
                counted = "poisoned_row", part, "account.id" = %account, what, %id, error = %ErrorChain(failed),
                "a row cannot be handled; it is skipped, and others are not affected"
            ),
            PortError::Transient { .. } => warn!(
                part, "account.id" = %account, what, %id, error = %ErrorChain(failed),
                "a row could not be handled this time; the next run tries again"
            ),
        }
    }

    /// Records the result of a list.
    pub(crate) fn listed<T>(&self, what: &'static str, listed: PortResult<T>) -> Option<T> {
        let mut seen = self.seen();
        match listed {
            Ok(listed) => {
                (seen.lists, seen.in_a_row) = (0, 0);
                Some(listed)
            }
            Err(failed) => {
                (seen.lists, seen.others) = (seen.lists + 1, seen.others + 1);
                error!(part = self.part, what, error = %ErrorChain(&failed), "a list could not be read");
                None
            }
        }
    }

    /// Records the result of sending a batch; returns whether all of it was sent.
    pub(crate) fn sent(&self, sent: PortResult<()>) -> bool {
        let mut seen = self.seen();
        match sent {
            Ok(()) => {
                seen.sends = 0;
                true
            }
            Err(failed) => {
                (seen.sends, seen.others) = (seen.sends + 1, seen.others + 1);
                error!(
                    part = self.part, error = %ErrorChain(&failed),
                    "a batch was not sent; its deliveries are sent when their leases expire"
                );
                false
            }
        }
    }

    /// Records a failure that was logged elsewhere.
    pub(crate) fn other(&self) {
        self.seen().others += 1;
    }

    /// Whether the rest of the run skips this owner's rows.
    pub(crate) fn leaves_alone(&self, account: &AccountId, destination: Option<&DestinationId>) -> bool {
        let seen = self.seen();
        !seen.of_one.is_empty()
            && seen.of_one.get(&(account.clone(), destination.cloned())).is_some_and(|count| *count >= OF_ONE)
    }

    /// Whether everything is affected.
    pub(crate) fn given_up(&self) -> bool {
        let seen = self.seen();
        (seen.in_a_row >= IN_A_ROW && seen.of_accounts.len() > 1)
            || seen.lists >= OF_EVERYTHING
            || seen.sends >= OF_EVERYTHING
    }

    /// An error if anything failed.
    pub(crate) fn result(&self) -> PortResult<()> {
        let seen = self.seen();
        match (seen.rows, seen.others) {
            (0, 0) => Ok(()),
            (rows, others) => {
                let what = format!("{rows} rows, and {others} lists or batches, failed");
                Err(PortError::transient("a part of the run", what))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(failures: &Failures, account: &str, times: u32) {
        let (account, id) = (account.parse().expect("an account"), "dlv_1");
        for _ in 0..times {
            let row = Row { account: &account, destination: None, what: "delivery", id: &id };
            failures.failed(row, &PortError::transient("reading", "throttled"));
        }
    }

    #[test]
    fn one_account_that_fails_is_left_alone_and_ends_no_part() {
        let failures = Failures::of("due");
        fail(&failures, "acme", 1_000);
        let (acme, rival) = ("acme".parse().expect("an account"), "rival".parse().expect("an account"));
        assert!(failures.leaves_alone(&acme, None) && !failures.leaves_alone(&rival, None) && !failures.given_up());
        fail(&failures, "rival", 1);
        assert!(failures.given_up());
        failures.worked(&acme, None);
        assert!(!failures.given_up() && !failures.leaves_alone(&acme, None) && failures.result().is_err());
    }

    #[test]
    fn lists_or_sends_that_fail_three_times_in_a_row_end_the_part() {
        let failed = || Err::<(), _>(PortError::transient("listing", "the table is down"));
        let lists = Failures::of("due");
        assert!((0..2).all(|_| lists.listed("", failed()).is_none()) && !lists.given_up());
        assert!(lists.listed("", Ok(())).is_some() && lists.listed("", failed()).is_none() && !lists.given_up());
        assert!((0..2).all(|_| lists.listed("", failed()).is_none()) && lists.given_up());
        let sends = Failures::of("due");
        assert!((0..3).all(|_| !sends.sent(failed())) && sends.given_up());
    }
}
