//! The inputs: the worst of each kind that one account may have.

use adapters::SystemClock;
use domain::routing::MAX_CONDITION_BYTES;
use ports::Clock;
use serde_json::{Map, Value, json};

use super::world::Subscribed;

/// The largest event, in bytes.
const EVENT: usize = 256 * 1024;
/// The most subscriptions that an account may have.
const SUBSCRIPTIONS: usize = 20_000;
/// The longest condition.
const CONDITION: usize = 2_048;
/// How many of the longest conditions an account may have.
const CONDITIONS: usize = MAX_CONDITION_BYTES / CONDITION;
/// Where an event of the input looks.
const BUCKETS: &[&str] = &["*#*", "sync_run.completed#*"];

pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) subscribed: Subscribed,
    /// The text of each event of the batch.
    pub(super) event: fn(usize) -> String,
    /// Whether `redrive` is measured, when it audits an event that owes all and of which all is lost.
    pub(super) is_audited: bool,
    /// What it took before this was bounded, as it was measured then.
    pub(super) before: Before,
}

/// Megabytes that were taken more than at the start, and milliseconds of a core that a batch took.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) mb: Option<u64>,
    pub(super) ms: Option<u64>,
}

const fn input(name: &'static str, what: &'static str, count: usize, condition: fn(usize) -> Option<Value>) -> Input {
    let subscribed = Subscribed { count, buckets: BUCKETS, condition };
    let before = Before { mb: None, ms: None };
    Input { name, what, subscribed, event: |n| text("acme", n), is_audited: false, before }
}

impl Input {
    const fn before(self, mb: Option<u64>, ms: Option<u64>) -> Self {
        Self { before: Before { mb, ms }, ..self }
    }
}

pub(super) const INPUTS: &[Input] = &[
    input("nobody", "fanout where nobody listens", 0, |_| None).before(None, Some(700)),
    input("conditions", "fanout with 600 conditions of 2 KB, more than are permitted", 600, |n| Some(nested(n)))
        .before(Some(243), None),
    input("permitted", "fanout with all conditions of 2 KB that are permitted", CONDITIONS, |n| Some(nested(n)))
        .before(None, Some(1_100)),
    Input {
        event: |n| keyed("acme", n),
        ..input("keys", "fanout with those conditions, and events of very many keys", CONDITIONS, |n| Some(nested(n)))
    },
    input("or", "fanout with as many, of which `$or` makes most", CONDITIONS, |n| Some(combined(n))),
    input("small", "fanout with 20,000 small conditions", SUBSCRIPTIONS, |n| {
        Some(json!({ "status": [format!("not {n}")] }))
    })
    .before(Some(767), Some(1_800)),
    input("costly", "fanout with conditions that test texts of long lists", CONDITIONS, |n| Some(costly(n))),
    input("wide", "fanout with ten events that are owed 20,000 times each", SUBSCRIPTIONS, |_| None),
    input("all", "fanout with ten such events, and all conditions that are permitted", SUBSCRIPTIONS, |n| {
        (n < CONDITIONS).then(|| nested(n))
    }),
    Input {
        is_audited: true,
        ..input("audit", "redrive with an event of which 20,000 deliveries are lost", SUBSCRIPTIONS, |_| None)
    },
];

/// A condition of the greatest size, made of what takes most memory: short fields and deep objects.
fn nested(n: usize) -> Value {
    let deep = |_| (0..7).fold(json!([1]), |inner, _| json!({ "a": inner }));
    let mut fields: Map<String, Value> = (0..38).map(|field| (format!("{field:x}"), deep(field))).collect();
    fields.insert("n".to_owned(), json!([n, { "exists": false }]));
    filled(fields.into())
}

/// A condition whose `$or` is combined with what is tested beside it, as often as is permitted.
fn combined(n: usize) -> Value {
    let branches: Vec<_> = (0..75).map(|_| json!({ "x": { "b": [1] } })).collect();
    filled(json!({ "$or": branches, "x": { "y": [n], "z": [1], "w": [1] } }))
}

/// A condition on every element of the list in the event.
fn costly(_: usize) -> Value {
    let prefixes: Vec<_> = (0..120).map(|n| json!({ "prefix": n.to_string() })).collect();
    filled(json!({ "more": { "a": prefixes } }))
}

/// With a long text, so that it has the greatest size.
fn filled(mut condition: Value) -> Value {
    let rest = CONDITION.saturating_sub(condition.to_string().len() + r#","f":["",{"exists":false}]"#.len());
    condition["f"] = json!(["x".repeat(rest), { "exists": false }]);
    condition
}

/// An event of the largest size, whose data takes as much memory as possible once it is parsed.
pub(crate) fn text(account: &str, n: usize) -> String {
    let mut event = event(account, n);
    event["data"]["more"] = json!([]);
    let least = event.to_string().len();
    let more = "{\"a\":1},".repeat((EVENT - least) / 8);
    event.to_string().replace("\"more\":[]", &format!("\"more\":[{}]", more.trim_end_matches(',')))
}

/// An event of the largest size, whose data has as many keys as possible, all different.
fn keyed(account: &str, n: usize) -> String {
    let mut event = event(account, n);
    event["data"]["more"] = json!({});
    let least = event.to_string().len();
    let more: Vec<_> = (0..(EVENT - least) / 10).map(|key| format!("\"{key:05x}\":1")).collect();
    event.to_string().replace("\"more\":{}", &format!("\"more\":{{{}}}", more.join(",")))
}

fn event(account: &str, n: usize) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../../../events/demo-sync-run-succeeded.json")).unwrap_or_default();
    (event["account"], event["id"]) = (json!(account), json!(format!("{}{n:03}", "e".repeat(125))));
    event["occurred_at"] = json!(SystemClock.now().to_string());
    let (connection, endpoint) = ("c".repeat(128), "t".repeat(128));
    event["scope"] = json!(format!("connection/{connection}/endpoint/{endpoint}"));
    event["data"]["connection"]["id"] = json!(connection);
    event["data"]["endpoint"]["id"] = json!(endpoint);
    event
}
