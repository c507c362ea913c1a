//! The story, chapter by chapter, each in its own file. It only asserts that each step was possible; the results are
//! recorded.

mod configured;
mod deleted;
mod delivered;
mod failing;
mod listed;
mod mended;
mod registered;
mod rejected;
pub mod shown;

use domain::value::Timestamp;
use harness::checkout::sample_event;
use serde_json::{Value, json};

use crate::answers::Who;
use crate::text::sorted;
use crate::world::World;

/// Rows at certain times of the story, each with a title.
pub type Moments = Vec<(&'static str, Value)>;

/// The accounts, destinations and visitors of the story.
pub struct Cast {
    pub admin: Who,
    pub editor: Who,
    pub viewer: Who,
    pub publisher: Who,
    /// The admin of another account.
    pub rival: Who,
    /// Gets everything that happens at Xero.
    pub warehouse: String,
    /// Takes one delivery a second.
    pub billing: String,
    /// Fails sometimes.
    pub flaky: String,
    /// Is down for a while.
    pub down: String,
    /// Gets one attempt.
    pub once: String,
    /// Is gone.
    pub gone: String,
    /// Gets missed runs and events about this system itself.
    pub pager: String,
}

pub async fn play(world: &mut World) -> (Cast, Moments) {
    let mut moments = Moments::new();
    let mut cast = registered::play(world).await;
    configured::play(world, &mut cast).await;
    moments.push(("configured", world.table.rows("").await));
    delivered::play(world, &cast).await;
    rejected::play(world, &cast).await;
    failing::play(world, &cast).await;
    moments.push(("in trouble", world.table.rows("").await));
    mended::play(world, &cast).await;
    deleted::play(world, &cast, &mut moments).await;
    listed::play(world, &cast).await;
    (cast, moments)
}

/// A run of a table, such as `("xero", "invoices")`, that ended now and announces no other.
pub fn sync_run(now: Timestamp, id: &str, (connection, table): (&str, &str), status: &str) -> Value {
    let sample = if status == "failed" { "demo-sync-run-failed" } else { "demo-sync-run-succeeded" };
    let mut event = sample_event(sample).expect("a sample");
    event["id"] = json!(id);
    event["scope"] = json!(format!("connection/{connection}/endpoint/{table}"));
    event["occurred_at"] = json!(now);
    let data = &mut event["data"];
    data["run_id"] = json!(format!("run-{id}"));
    data["connection"]["id"] = json!(connection);
    data["endpoint"]["id"] = json!(table);
    data["status"] = json!(status);
    data["completed_at"] = json!(now);
    data["next_run_at"] = Value::Null;
    event
}

/// An insight of Xero that was populated now.
pub fn insight(now: Timestamp, id: &str) -> Value {
    let mut event = sample_event("demo-insight-succeeded").expect("a sample");
    event["id"] = json!(id);
    event["occurred_at"] = json!(now);
    event["data"]["completed_at"] = json!(now);
    event
}

/// The bytes of `data` reach destinations unchanged, so they are always the same.
pub fn text(event: Value) -> String {
    sorted(event).to_string()
}

/// The id of what was created.
#[track_caller]
pub fn id(created: &Value) -> String {
    created["id"].as_str().unwrap_or_else(|| panic!("nothing was created: {created}")).to_owned()
}
