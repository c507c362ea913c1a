//! Deliveries that fail in different ways: refused, timed out, unreachable, gone, too many at once; a destination that
//! is down and one that is paused. At the end there is a delivery in every state.

use std::time::Duration;

use domain::attempt::Answer;
use ports::Clock;
use serde_json::Value;
use testing::Step;

use super::delivered::XERO;
use super::{Cast, sync_run, text};
use crate::world::World;

const NOTHING: Value = Value::Null;

pub async fn play(world: &mut World, cast: &Cast) {
    now_and_then(world).await;
    given_up(world).await;
    gone(world).await;
    too_many(world).await;
    down(world).await;
    paused(world, cast).await;
    for path in ["stats", "test"] {
        world.ask(&cast.viewer, &format!("GET /v1/destinations/{}/{path}", cast.down), NOTHING).await;
    }
}

async fn push(world: &mut World, id: &str, place: (&str, &str), status: &str) {
    let event = text(sync_run(world.clock.now(), id, place, status));
    world.push(&event).await;
}

/// A table fails and recovers; its receiver gives typical answers.
async fn now_and_then(world: &mut World) {
    let body = b"{\"error\":\"try \xC3\xA9 later\"}".to_vec();
    let refused = Answer::new(503, [("retry-after", &b"20"[..])].into_iter(), body, false);
    let patient = Step::AnswerRetryAfter(429, Duration::from_secs(30));
    let steps = [Step::AnswerInFull(refused), patient, Step::Answer(200), Step::Hang, Step::Unreachable, Step::Blocked];
    world.sender.script("https://flaky.example/in", steps);
    for (n, status) in ["succeeded", "failed"].into_iter().enumerate() {
        push(world, &format!("evt-flaky-{n}"), ("xero", "journals"), status).await;
    }
    for _ in 0..3 {
        world.later(Duration::from_secs(20)).await;
    }
    world.minutes(8).await;
    for (n, status) in ["succeeded", "failed"].into_iter().enumerate() {
        push(world, &format!("evt-flaky-again-{n}"), ("xero", "accounts"), status).await;
    }
    world.minutes(1).await;
}

/// One attempt, which is refused. One delivery after another, because people are alerted only once, about whichever is
/// looked at first.
async fn given_up(world: &mut World) {
    world.sender.script("https://once.example/", [Step::Answer(404), Step::Answer(302), Step::Answer(500)]);
    for n in 0..2 {
        push(world, &format!("evt-once-{n}"), ("sage", "invoices"), "failed").await;
        world.minutes(2).await;
    }
}

async fn gone(world: &mut World) {
    world.sender.script("https://gone.example/", [Step::Answer(410)]);
    for n in 0..2 {
        push(world, &format!("evt-gone-{n}"), ("sage", "ledgers"), "succeeded").await;
    }
    world.minutes(1).await;
}

/// Four at once, for a destination that takes one a second.
async fn too_many(world: &mut World) {
    let now = world.clock.now();
    let events: Vec<_> = (0..4).map(|n| text(sync_run(now, &format!("evt-many-{n}"), XERO, "succeeded"))).collect();
    world.push_together(&events).await;
    world.minutes(1).await;
}

/// Five in a row fail. The others are parked, and stay so for a while.
async fn down(world: &mut World) {
    world.sender.script("https://down.example/", (0..8).map(|_| Step::Answer(500)));
    for n in 0..7 {
        push(world, &format!("evt-down-{n}"), ("stripe", "charges"), "succeeded").await;
    }
    world.minutes(2).await;
}

async fn paused(world: &mut World, cast: &Cast) {
    let path = format!("/v1/destinations/{}", cast.warehouse);
    for _ in 0..2 {
        world.ask(&cast.editor, &format!("POST {path}/pause"), NOTHING).await;
    }
    push(world, "evt-paused", XERO, "succeeded").await;
    world.ask(&cast.viewer, &format!("GET {path}"), NOTHING).await;
}
