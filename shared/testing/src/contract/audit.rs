//! The notes by which the audit finds sealed events.

use domain::value::{AccountId, Slot};
use ports::{Audit, EventPlace, SealNote, SealNotes};

use super::{after, now};

/// A store of notes of seals.
pub trait AuditStore: Audit + SealNotes {}

impl<S: Audit + SealNotes> AuditStore for S {}

pub async fn audit(store: &dyn AuditStore, account: &AccountId) {
    // A slot that no other test of the same table uses, as if of another horizon.
    let digits = account.as_str().bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let slot = Slot(1_000_000_000_000 + digits % 1_000_000_000);
    let note = |occurred| SealNote { sealed: slot, account: account.clone(), occurred: Slot(occurred) };
    assert_eq!(store.seal_notes(slot, None, 9).await.expect("a list"), []);
    for occurred in [1, 2, 2] {
        store.note_seal(&note(occurred), after(99)).await.expect("noted");
    }
    assert_eq!(store.seal_notes(slot, None, 9).await.expect("a list"), [(note(1), None), (note(2), None)]);
    assert_eq!(store.seal_notes(slot, None, 1).await.expect("a list"), [(note(1), None)]);
    assert_eq!(store.seal_notes(slot, Some(&note(1)), 9).await.expect("a list"), [(note(2), None)]);
    assert_eq!(store.seal_notes(slot.next(), None, 9).await.expect("a list"), []);
    let place = EventPlace { occurred_at: now(), id: "evt-7".parse().expect("an id") };
    store.note_progress(&note(2), &place).await.expect("noted");
    store.forget_note(&note(1)).await.expect("forgotten");
    store.forget_note(&note(1)).await.expect("forgotten twice");
    assert_eq!(store.seal_notes(slot, None, 9).await.expect("a list"), [(note(2), Some(place))]);
    // Others may audit the same table at the same time, so the audit's position is left as it is.
    if let Some(last) = store.last_audited().await.expect("an answer") {
        store.set_last_audited(last).await.expect("noted");
        assert!(store.last_audited().await.expect("an answer") >= Some(last));
    }
}
