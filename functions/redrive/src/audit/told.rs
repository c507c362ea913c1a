//! What the audit logs for alarms: it is late, it came too late, or it cannot close the ledger.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::value::Timestamp;
use domain::value::horizon::NOTES_KEPT;
use ports::SealNote;
use tracing::error;

use crate::share::Share;

/// How late the audit may be before that is an error.
const BEHIND: Duration = Duration::from_secs(3_600);

/// `audited` is up to when the shard that is furthest behind was audited.
pub(super) fn say_if_expired(share: Share<'_>, until: Timestamp, audited: Option<Timestamp>) {
    if audited.is_some_and(|audited| until.since(audited) > NOTES_KEPT) {
        error!(counted = "audit_behind", "events sealed over a week ago were not audited; their notes have expired");
        share.failures.other();
    }
}

/// `oldest` is the end of the oldest stretch that is not audited.
pub(super) fn say_if_behind(share: Share<'_>, oldest: Option<Timestamp>) {
    if let Some(behind) = oldest.map(|until| past_horizon(share, until)).filter(|behind| *behind > BEHIND) {
        error!(
            counted = "audit_behind",
            seconds = behind.as_secs(),
            "the audit is behind; events that it does not reach within a week are never audited"
        );
        share.failures.other();
    }
}

/// `open` are the notes of whose events something failed. The causes were logged as they occurred.
pub(super) fn say_if_open(share: Share<'_>, open: &BTreeSet<SealNote>) {
    if let Some(oldest) = open.iter().min_by_key(|note| note.sealed.until) {
        error!(
            counted = "ledger_open",
            notes = open.len(),
            "account.id" = %oldest.account,
            seconds = past_horizon(share, oldest.sealed.until).as_secs(),
            "events past the horizon could not be audited; what they owe may be pending"
        );
    }
}

/// For how long events that were sealed by then could have been audited.
fn past_horizon(share: Share<'_>, sealed: Timestamp) -> Duration {
    share.deps.clock.now().since(sealed.plus(share.deps.horizon.length()))
}
