//! The notes by which the audit finds sealed events.

use std::time::Duration;

use domain::delivery::Settlement;
use domain::value::{AccountId, Span, Timestamp, spread};
use ports::{Audit, EventPlace, ListedNote, SealNote, SealNotes};

use super::{after, now};

/// A store of notes of seals.
pub trait AuditStore: Audit + SealNotes {}

impl<S: Audit + SealNotes> AuditStore for S {}

fn span(since: u64, until: u64) -> Span {
    Span { since: Timestamp::from_unix_ms(since), until: Timestamp::from_unix_ms(until) }
}

pub async fn audit(store: &dyn AuditStore, account: &AccountId) {
    // In a far future, in which no other test that shares the table seals.
    let at = 200_000_000_000_000 + u64::from(spread(account.as_str(), u16::MAX)) * 1_000_000;
    let note = |(since, until), occurred| SealNote {
        sealed: span(at + since, at + until),
        account: account.clone(),
        occurred: span(occurred, occurred + 1),
    };
    let list = async |(since, until), after: Option<&SealNote>, limit| {
        let shard = SealNote::shard_of(account);
        store.seal_notes(shard, span(at + since, at + until), after, limit).await.expect("a list")
    };
    assert_eq!(list((0, 90), None, 9).await, []);
    // Stretches of several lengths.
    let notes = [note((20, 40), 1), note((20, 40), 2), note((0, 60), 1), note((50, 60), 1)];
    for note in [&notes[3], &notes[1], &notes[0], &notes[1], &notes[2]] {
        store.note_seal(note, after(99)).await.expect("noted");
    }
    let all = notes.clone().map(ListedNote::from);
    assert_eq!(list((0, 60), None, 9).await, all);
    assert_eq!(list((0, 59), None, 9).await, all[..2]);
    assert_eq!(list((40, 60), None, 9).await, all[2..]);
    assert_eq!(list((0, 60), None, 1).await, all[..1]);
    assert_eq!(list((0, 60), Some(&notes[1]), 9).await, all[2..]);
    assert_eq!((list((60, 60), None, 9).await, list((0, 30), Some(&notes[1]), 9).await), (vec![], vec![]));
    let other = store.seal_notes((notes[0].shard() + 1) % 8, span(at, at + 60), None, 9).await.expect("a list");
    assert_eq!(other, []);

    let place = EventPlace { occurred_at: now(), id: "evt-7".parse().expect("an id") };
    store.note_progress(&notes[1], &place).await.expect("noted");
    let settled = Settlement([7; 16]);
    for note in &notes[1..3] {
        store.note_settled(note, &settled).await.expect("noted");
    }
    let of_third = ListedNote { settled: Some(settled), ..notes[2].clone().into() };
    assert_eq!(list((0, 60), Some(&notes[1]), 1).await, [of_third]);
    // Written again, it is as new.
    store.note_seal(&notes[2], after(99)).await.expect("noted");
    assert_eq!(list((0, 60), Some(&notes[1]), 1).await, all[2..3]);
    for gone in [&notes[0], &notes[0], &notes[2], &notes[3]] {
        store.forget_note(gone).await.expect("forgotten, once or twice");
    }
    store.note_progress(&notes[0], &place).await.expect("nothing to be noted");
    store.note_settled(&notes[0], &settled).await.expect("nothing to be noted");
    let left = ListedNote { note: notes[1].clone(), after: Some(place), settled: Some(settled) };
    assert_eq!(list((0, 60), None, 9).await, [left]);
    store.forget_note(&notes[1]).await.expect("forgotten");

    // Others may audit the same table at the same time, so their progress is not changed.
    let known = store.audited_until().await.expect("an answer");
    store.set_audited_until(&known).await.expect("noted");
    let stored = store.audited_until().await.expect("an answer");
    assert!(known.iter().all(|(shard, until)| stored.get(shard) >= Some(until)));
    store.move_old_notes(Duration::from_secs(600), Timestamp::from_unix_ms(0)).await.expect("there are none");
}
