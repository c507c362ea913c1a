//! Units of work: what one instance does of a lane. The scheduled run hands out what it has no time for, and continues
//! with one unit of each lane itself. A unit hands out nothing, so invocations cannot start each other in a chain.
//!
//! A unit is only a hint where there is work. Every step is claimed in the table, so a unit that is lost or comes twice
//! does no harm, and the next minute hands out what is left.

use std::collections::BTreeMap;

use domain::value::{Timestamp, spread};
use runtime::telemetry::ErrorChain;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

/// The lanes whose work can be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LaneName {
    /// What is due, and the reports of deliveries that were given up.
    Due,
    Watch,
    MissedRuns,
    RollUps,
    Audit,
    Jobs,
}

/// A part of a list, selected by a hash of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Division {
    pub(crate) part: u16,
    pub(crate) of: u16,
}

impl Division {
    pub(crate) const WHOLE: Self = Self { part: 0, of: 1 };

    pub(crate) fn has(self, name: &str) -> bool {
        spread(name, self.of) == self.part
    }
}

/// Such as `{"lane":"due","shards":[3],"part":1,"of":4}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(crate) lane: LaneName,
    /// Only 0 if the lane has no shards.
    pub(crate) shards: Vec<u8>,
    /// The part of each of these shards.
    #[serde(flatten)]
    pub(crate) division: Division,
}

/// What a lane has left to do in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) shard: u8,
    /// Since when the oldest entry waits, or from when on it will, as far as that is known.
    pub(crate) since: Timestamp,
    /// How many parts it is worth dividing into.
    pub(crate) parts: u16,
}

/// What a run keeps of a lane, by shard.
pub(crate) type Kept = BTreeMap<u8, Division>;

/// Divides what is left into at most `most` units, and a portion for this run. The portion is small, because each unit
/// gets a whole invocation. If there are more shards than units, several shards share a unit.
pub(crate) fn divide(left: &[Left], most: u16) -> (Vec<(Vec<u8>, Division)>, Kept) {
    let most = usize::from(most);
    let mut counts: Vec<u16> = left.iter().map(|_| 1).collect();
    let mut room = (most + 1).saturating_sub(left.len());
    while room > 0 {
        let before = room;
        for (count, left) in counts.iter_mut().zip(left) {
            if room > 0 && *count < left.parts {
                *count += 1;
                room -= 1;
            }
        }
        if room == before {
            break;
        }
    }
    let portions = left.iter().zip(counts).flat_map(|(left, of)| {
        let shard = left.shard;
        (0..of).map(move |part| (shard, Division { part, of }))
    });
    if most == 0 {
        return (Vec::new(), portions.collect());
    }
    let (mut units, mut kept): (Vec<(Vec<u8>, Division)>, _) = (Vec::new(), Kept::new());
    for (n, (shard, division)) in portions.enumerate() {
        match n.checked_sub(1).map(|n| n % most) {
            None => drop(kept.insert(shard, division)),
            // Only undivided shards can outnumber the units.
            Some(unit) if unit < units.len() => units[unit].0.push(shard),
            Some(_) => units.push((vec![shard], division)),
        }
    }
    (units, kept)
}

/// The units in the event of an invocation; `None` if the schedule invoked. A unit of another release may not be
/// understood; the next minute hands its work out again.
pub(crate) fn units(event: &Value) -> Option<Vec<Unit>> {
    let records = event["Records"].as_array()?;
    let unit = |record: &Value| {
        let text = record["Sns"]["Message"].as_str().unwrap_or_default();
        serde_json::from_str(text)
            .inspect_err(|error| warn!(error = %ErrorChain(error), "a unit of work is not understood"))
            .ok()
    };
    Some(records.iter().filter_map(unit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(shard: u8, parts: u16) -> Left {
        Left { shard, since: Timestamp::from_unix_ms(0), parts }
    }

    #[track_caller]
    fn check(shards: &[Left], most: u16, units: usize, kept: usize) {
        let (out, keeps) = divide(shards, most);
        assert_eq!((out.len(), keeps.len()), (units, kept), "{out:?} {keeps:?}");
        // Each name belongs to one unit alone.
        for left in shards {
            for name in ["a", "b", "c", "d"] {
                let kept = keeps.get(&left.shard).into_iter();
                let mine = out.iter().filter(|(shards, _)| shards.contains(&left.shard)).map(|(_, division)| division);
                assert_eq!(kept.chain(mine).filter(|division| division.has(name)).count(), 1, "{name}");
            }
        }
    }

    #[test]
    fn what_is_left_is_divided_without_gaps_and_one_unit_is_kept() {
        check(&[], 8, 0, 0);
        check(&[left(3, 1)], 8, 0, 1);
        check(&[left(3, 4)], 8, 3, 1);
        check(&[left(3, 40)], 8, 8, 1);
        check(&[left(3, 2), left(4, 9)], 8, 8, 1);
        let all: Vec<_> = (0..8).map(|shard| left(shard, 1)).collect();
        check(&all, 8, 7, 1);
        check(&all, 3, 3, 1);
        check(&all, 1, 1, 1);
        check(&all, 0, 0, 8);
        let (units, _) = divide(&all, 3);
        let shards: Vec<_> = units.into_iter().map(|(shards, _)| shards).collect();
        assert_eq!(shards, [vec![1, 4, 7], vec![2, 5], vec![3, 6]]);
    }

    #[test]
    fn a_unit_is_read_from_the_event_of_a_topic() {
        let unit = Unit { lane: LaneName::Due, shards: vec![3], division: Division { part: 1, of: 4 } };
        let text = serde_json::to_string(&unit).expect("a text");
        assert_eq!(text, r#"{"lane":"due","shards":[3],"part":1,"of":4}"#);
        let record = |message: &str| serde_json::json!({ "Sns": { "Message": message } });
        let event = serde_json::json!({ "Records": [record(&text), record("{}")] });
        assert_eq!(units(&event), Some(vec![unit]));
        assert_eq!(units(&Value::Null), None);
    }
}
