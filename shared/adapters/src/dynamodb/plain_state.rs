//! The state of a delivery's row, for lists of very many. [`DeliveryState`] is a tagged enum, flattened into rows, and serde
//! collects every field of a row before it reads such a one: that takes several times as long as reading plain fields.

use domain::delivery::DeliveryState;
use domain::value::Timestamp;
use serde::Deserialize;

/// The name of a state, as the attribute `state` has it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlainState {
    Delivered,
    Retrying,
    Parked,
    Exhausted,
    Cancelled,
}

impl PlainState {
    /// The state, with the attribute `due_at` of the row, which only one of them needs.
    pub(super) fn of(self, due_at: Option<String>) -> Result<DeliveryState, &'static str> {
        Ok(match self {
            PlainState::Delivered => DeliveryState::Delivered,
            PlainState::Retrying => {
                let due_at = due_at.and_then(|text| Timestamp::parse(&text).ok());
                DeliveryState::Retrying { due_at: due_at.ok_or("it is retrying, and its `due_at` is no time")? }
            }
            PlainState::Parked => DeliveryState::Parked,
            PlainState::Exhausted => DeliveryState::Exhausted,
            PlainState::Cancelled => DeliveryState::Cancelled,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize)]
    struct Row {
        state: PlainState,
        #[serde(default)]
        due_at: Option<String>,
    }

    fn read(row: Value) -> Option<DeliveryState> {
        let row: Row = serde_json::from_value(row).ok()?;
        row.state.of(row.due_at).ok()
    }

    #[test]
    fn a_plain_state_is_what_was_written() {
        let due_at = Timestamp::from_unix_ms(1_795_426_200_123);
        for state in [
            DeliveryState::Delivered,
            DeliveryState::Retrying { due_at },
            DeliveryState::Parked,
            DeliveryState::Exhausted,
            DeliveryState::Cancelled,
        ] {
            assert_eq!(read(serde_json::to_value(state).expect("JSON")), Some(state));
        }
        for wrong in [
            json!({}),
            json!({ "state": "lost" }),
            json!({ "state": "retrying" }),
            json!({ "state": "retrying", "due_at": "soon" }),
        ] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
        assert_eq!(read(json!({ "state": "parked", "due_at": "soon" })), Some(DeliveryState::Parked));
    }
}
