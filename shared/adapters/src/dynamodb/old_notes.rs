//! The notes of seals as older releases wrote them: by slots, numbers whose meaning depended on the horizon. They are
//! moved to where notes are now, one slot at a time, when nobody writes to it any more. This file, its keys and
//! `move_old_notes` of the port `Audit` can be deleted a week after every stack was upgraded.
//!
//! Invariant: no note of an older release is lost, wherever the move is interrupted (tests:
//! `notes_of_before_are_moved_slot_by_slot_and_a_repetition_moves_what_is_left`).

use std::time::Duration;

use domain::value::horizon::NOTES_KEPT;
use domain::value::{AccountId, Span, Timestamp};
use ports::{PortError, PortResult, SealNote, SealNotes};
use serde::{Deserialize, Serialize};

use super::keys::Key;
use super::rows::to_item;
use super::{DynamoStore, Reads, as_item};
use crate::aws::port_error;

/// How many slots are moved at a time.
const SLOTS: u64 = 1_000;
const PAGE: usize = 100;
const SEALED: &str = "SEALED#";

/// The last slot that has no notes left.
#[derive(Serialize, Deserialize)]
struct LastRow {
    slot: u64,
    /// The length of a slot, once a move has stored it. Later changes of the horizon do not affect it.
    #[serde(default)]
    ms: Option<u64>,
}

#[derive(Deserialize)]
struct OldRow {
    pk: String,
    sk: String,
}

struct OldNote {
    key: Key,
    account: AccountId,
    occurred: u64,
}

impl TryFrom<OldRow> for OldNote {
    type Error = &'static str;

    fn try_from(OldRow { pk, sk }: OldRow) -> Result<Self, &'static str> {
        let parts = sk.strip_prefix(SEALED).and_then(|rest| rest.split_once('#'));
        let parsed = parts.and_then(|(account, slot)| Some((account.parse().ok()?, slot.parse().ok()?)));
        let (account, occurred) = parsed.ok_or("its key is not that of a note")?;
        Ok(Self { key: Key { pk, sk }, account, occurred })
    }
}

fn last_slot() -> Key {
    Key { pk: "AUDIT".to_owned(), sk: "LAST".to_owned() }
}

fn slot_pk(slot: u64) -> String {
    format!("AUDIT#{slot}")
}

/// The stretch of time of a slot.
fn span(slot: u64, length: Duration) -> Span {
    let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let begin = |slot: u64| Timestamp::from_unix_ms(slot.saturating_mul(ms));
    Span { since: begin(slot), until: begin(slot.saturating_add(1)) }
}

impl DynamoStore {
    /// Moves the notes of the slots that had ended by `until`.
    pub(super) async fn move_notes_of_slots(&self, length: Duration, until: Timestamp) -> PortResult<()> {
        let Some(LastRow { slot: last, ms }) = self.get::<LastRow, LastRow>(last_slot()).await? else { return Ok(()) };
        let length = ms.map_or(length, Duration::from_millis);
        let kept = until.minus(NOTES_KEPT);
        let first = last.saturating_add(1).max(
            u64::try_from(u128::from(kept.unix_ms()).checked_div(length.as_millis()).unwrap_or_default())
                .unwrap_or_default(),
        );
        let mut slot = first;
        while span(slot, length).until <= until && slot - first < SLOTS {
            self.move_slot(slot, length).await?;
            slot += 1;
        }
        if slot > first {
            let ms = u64::try_from(length.as_millis()).ok();
            self.put(to_item(last_slot(), &LastRow { slot: slot - 1, ms })?).await?;
        }
        if span(slot, length).until <= until {
            return Err(PortError::transient("moving old notes", "there are more of them"));
        }
        Ok(())
    }

    async fn move_slot(&self, slot: u64, length: Duration) -> PortResult<()> {
        loop {
            let notes: Vec<OldNote> =
                self.query::<OldRow, _>(Reads::Cheaply, slot_pk(slot), SEALED, None, Some(PAGE)).await?;
            let ended = notes.len() < PAGE;
            for OldNote { key, account, occurred } in notes {
                let sealed = span(slot, length);
                let note = SealNote { sealed, account, occurred: span(occurred, length) };
                self.note_seal(&note, sealed.until.plus(NOTES_KEPT)).await?;
                let delete = self.client.delete_item().table_name(&self.table).set_key(Some(as_item(key)));
                delete.send().await.map_err(|error| port_error("moving an old note", error))?;
            }
            if ended {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ports::Audit;
    use serde_json::json;

    use super::*;
    use crate::dynamodb::fake_table::FakeTable;

    #[tokio::test]
    async fn notes_of_before_are_moved_slot_by_slot_and_a_repetition_moves_what_is_left() {
        let table = FakeTable::default();
        let store = table.store();
        let (length, at) = (Duration::from_secs(600), |slot: u64| Timestamp::from_unix_ms(slot * 600_000));
        let put = |key: Key, row| table.put(to_item(key, &row).expect("an item"));
        put(last_slot(), json!({ "slot": 2_000_000 }));
        let old = |slot, text: &str| Key { pk: slot_pk(slot), sk: format!("{SEALED}{text}") };
        put(old(2_000_001, "acme#1999999"), json!({ "account": "acme", "occurred": 1_999_999 }));
        put(old(2_000_001, "acme#2000001"), json!({ "account": "acme", "occurred": 2_000_001, "after": "5.evt-1" }));
        put(old(2_000_003, "rival#2000003"), json!({ "account": "rival" }));
        let note = |account: &str, sealed, occurred| SealNote {
            sealed: span(sealed, length),
            account: account.parse().expect("an account"),
            occurred: span(occurred, length),
        };
        let notes = async |account: &str| {
            let shard = SealNote::shard_of(&account.parse().expect("an account"));
            let all = Span { since: at(0), until: at(3_000_000) };
            let notes = store.seal_notes(shard, all, None, 9).await.expect("a list");
            notes.into_iter().map(|listed| listed.note).collect::<Vec<_>>()
        };
        // The slot of the last note has not ended.
        store.move_old_notes(length, at(2_000_003)).await.expect("moved");
        let moved = [note("acme", 2_000_001, 1_999_999), note("acme", 2_000_001, 2_000_001)];
        assert_eq!((notes("acme").await, notes("rival").await), (moved.to_vec(), vec![]));
        assert_eq!(table.keys().iter().filter(|key| key.starts_with("AUDIT")).count(), 2);
        // A crash came before the progress was stored; then the horizon was changed.
        put(last_slot(), json!({ "slot": 2_000_000, "ms": 600_000 }));
        store.move_old_notes(length / 60, at(2_000_005)).await.expect("moved");
        assert_eq!(
            (notes("acme").await, notes("rival").await),
            (moved.to_vec(), vec![note("rival", 2_000_003, 2_000_003)])
        );
        assert_eq!(
            store.get::<LastRow, LastRow>(last_slot()).await.expect("a row").map(|row| row.slot),
            Some(2_000_004)
        );
        // If a stack stood still for long, not all are moved at once.
        let later = at(2_000_005 + SLOTS + 1);
        store.move_old_notes(length, later).await.expect_err("there are more");
        store.move_old_notes(length, later).await.expect("moved");
    }

    #[tokio::test]
    async fn where_no_release_wrote_notes_by_slots_nothing_is_moved() {
        let table = FakeTable::default();
        let until = Timestamp::from_unix_ms(1_795_426_200_000);
        table.store().move_old_notes(Duration::from_secs(600), until).await.expect("nothing");
        assert!(table.keys().is_empty());
    }
}
