//! The turns handed out at destinations with a rate limit: a row each, in its own partition, and mostly one write for
//! each block of turns. DynamoDB cannot compute "the later of two times", so one of two writes moves a lane forward:
//! one adds to a lane whose end is in the future, the other restarts a lane whose end has passed. If one is refused,
//! the other succeeds, unless somebody else was faster. Since lanes only move forward, that happens at most once.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::destination::{Lane, Pace, Reserved, Wish};
use domain::value::{AccountId, DestinationId};
use ports::{Paces, PortError, PortResult};
use serde::Deserialize;

use super::keys::Key;
use super::rows::read;
use super::{DynamoStore, Item, as_item, keys};
use crate::aws::port_error;

/// How long a row is kept after something was handed out, in seconds: a day. All turns have passed by then; only a line
/// that is longer than that is lost with it.
const KEPT: u64 = 86_400;
/// The most writes that a wish takes: adding is refused because the lane has ended, restarting it because somebody else
/// was faster, then adding succeeds. One more if the lines are cleared at the same moment.
const WRITES: u32 = 4;

#[derive(Deserialize)]
struct PaceRow {
    #[serde(default)]
    free_from: u64,
    #[serde(default)]
    called_until: u64,
    #[serde(default)]
    line_until: u64,
}

impl From<PaceRow> for Pace {
    fn from(PaceRow { free_from, called_until, line_until }: PaceRow) -> Self {
        Self { free_from, called_until, line_until }
    }
}

fn attribute(lane: Lane) -> &'static str {
    match lane {
        Lane::Turns => "free_from",
        Lane::Called => "called_until",
        Lane::Line => "line_until",
    }
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn pace_of(item: Option<Item>) -> PortResult<Pace> {
    Ok(item.map(read::<PaceRow, Pace>).transpose()?.unwrap_or_default())
}

/// One of the two writes.
struct Move {
    update: &'static str,
    condition: String,
    values: Item,
}

impl Move {
    /// `adds` to the lane, or restarts it.
    fn of(wish: &Wish, adds: bool) -> Self {
        let mut values = Item::from([
            (":from".to_owned(), number(wish.from)),
            (":expires".to_owned(), number(wish.from / 1_000_000 + KEPT)),
        ]);
        let (update, mut condition) = if adds {
            values.insert(":length".into(), number(wish.length));
            values.insert(":until".into(), number(wish.until));
            let condition = "#lane > :from AND #lane <= :until";
            ("SET expires_at = :expires ADD #lane :length", condition.to_owned())
        } else {
            values.insert(":end".into(), number(wish.from + wish.length));
            let condition = "(attribute_not_exists(#lane) OR #lane <= :from)";
            ("SET expires_at = :expires, #lane = :end", condition.to_owned())
        };
        if wish.after_lines {
            values.insert(":until".into(), number(wish.until));
            for line in [Lane::Called, Lane::Line].map(attribute) {
                condition += &format!(" AND (attribute_not_exists({line}) OR {line} <= :until)");
            }
        }
        Self { update, condition, values }
    }
}

#[async_trait]
impl Paces for DynamoStore {
    async fn reserve(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        known: Pace,
        wish: &Wish,
    ) -> PortResult<Reserved> {
        self.hand_out(&keys::pace(account, destination), known, wish).await
    }

    async fn clear_lines(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::pace(account, destination))));
        let call =
            call.update_expression("REMOVE called_until, line_until").condition_expression("attribute_exists(pk)");
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => Ok(()),
            Err(error) => Err(port_error("clearing a line", error)),
        }
    }
}

impl DynamoStore {
    /// Hands out the wished turns from the pace in the row of this key.
    pub(super) async fn hand_out(&self, key: &Key, known: Pace, wish: &Wish) -> PortResult<Reserved> {
        let mut adds = known.end(wish.lane) > wish.from;
        for _ in 0..WRITES {
            let (moved, pace) = self.move_on(key, wish.lane, Move::of(wish, adds)).await?;
            if moved {
                return Ok(Reserved { start: Some(pace.end(wish.lane) - wish.length), pace });
            }
            if pace.refuses(wish) {
                return Ok(Reserved { start: None, pace });
            }
            adds = pace.end(wish.lane) > wish.from;
        }
        Err(PortError::transient("handing out turns", "others kept changing the row"))
    }

    /// Whether the lane was moved forward, and the pace as it is then.
    async fn move_on(&self, key: &Key, lane: Lane, write: Move) -> PortResult<(bool, Pace)> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(key.clone())));
        let call = call.update_expression(write.update).condition_expression(write.condition);
        let call = call.expression_attribute_names("#lane", attribute(lane));
        let call = call.set_expression_attribute_values(Some(write.values)).return_values(ReturnValue::AllNew);
        let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call.send().await {
            Ok(answer) => Ok((true, pace_of(answer.attributes)?)),
            Err(error) => match error.as_service_error() {
                // If there is no row, nothing is stored.
                Some(ConditionalCheckFailedException(refused)) => Ok((false, pace_of(refused.item().cloned())?)),
                _ => Err(port_error("handing out turns", error)),
            },
        }
    }
}
