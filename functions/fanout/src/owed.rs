//! What an event owes. It finds the subscriptions that listen, judges the run if one of them waits for a transition,
//! and notes the next run if one of them waits for a missed run.

use std::time::Duration;

use domain::delivery::Delivery;
use domain::event::{Event, payload};
use domain::routing::{AwaitedRun, Bucket, Grace, Hearing, Run, TooCostly, Transition, Work, listeners};
use domain::value::json;
use ports::{PortError, PortResult, UnmatchedReason};
use serde_json::Value;

use crate::deps::Deps;

/// How often judging a run is tried if other events of the same place keep being faster.
const REMEMBER_TRIES: u32 = 10;
/// How long the runs of a place are remembered after the last one: long enough for a yearly schedule.
const REMEMBER_FOR: Duration = Duration::from_secs(400 * 86_400);

/// The deliveries that an event owes, and the reason if there are none.
pub(crate) struct Owed {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) unmatched: Option<UnmatchedReason>,
}

/// What the event owes, unless it costs too much to find out.
pub(crate) async fn owed(deps: &Deps, event: &Event) -> PortResult<Result<Owed, TooCostly>> {
    let buckets = Bucket::of_event(event.event_type, &event.scope);
    let listeners = deps.listeners.find_listeners(&event.account, &buckets).await?;
    let hearing = Hearing::of(event, &listeners);
    await_next_run(deps, event, hearing.shortest_grace).await?;
    if !hearing.by_any {
        return Ok(Ok(Owed { deliveries: Vec::new(), unmatched: Some(UnmatchedReason::NoSubscription) }));
    }
    let run = if hearing.for_transitions { Run::of_event(&event.id, &described(event)?) } else { None };
    let transition = match run {
        Some(run) => transition(deps, event, &run).await?,
        None => None,
    };
    let data = if hearing.for_data { data(event)? } else { Value::Null };
    let deliveries = listeners::owed(event, &data, transition, &listeners, &Work::default());
    Ok(deliveries.map(|deliveries| {
        let unmatched = deliveries.is_empty().then_some(UnmatchedReason::ConditionsNotMet);
        Owed { deliveries, unmatched }
    }))
}

/// The event's data, parsed. It can take a hundred times the memory of its text, and the events of a batch are handled
/// concurrently. So it is never held across an `await`. It is parsed only where a listener looks at it.
fn data(event: &Event) -> PortResult<Value> {
    json::value(event.data.get()).map_err(unreadable)
}

/// What the catalogue describes of the event's data.
fn described(event: &Event) -> PortResult<Value> {
    payload::described(event.event_type, event.data.get()).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> PortError {
    PortError::permanent("reading an event's data", error)
}

/// Notes until when the next run is awaited, if a subscription wants to know when it does not come. This is done before the
/// event is sealed and only once: after a crash, the same run changes nothing.
async fn await_next_run(deps: &Deps, event: &Event, shortest: Option<Grace>) -> PortResult<()> {
    let Some(shortest) = shortest else { return Ok(()) };
    let awaited = AwaitedRun::after(event, &described(event)?, shortest, deps.clock.now());
    match awaited {
        Some(awaited) => deps.awaited_runs.await_run(&awaited).await,
        None => Ok(()),
    }
}

/// The transition that the event is, if any. The run is judged and remembered before anything is sent, so that after a
/// crash the judgement is the same.
async fn transition(deps: &Deps, event: &Event, run: &Run) -> PortResult<Option<Transition>> {
    let (account, event_type, place) = (&event.account, event.event_type, &event.scope);
    for _ in 0..REMEMBER_TRIES {
        let before = deps.transitions.find_runs(account, event_type, place).await?;
        if let Some(judged) = before.history.find(&event.id) {
            return Ok(judged.transition);
        }
        let (transition, after) = (before.history.judge(run), before.history.with(run.clone()));
        let expires_at = deps.clock.now().plus(REMEMBER_FOR);
        if deps.transitions.store_runs(account, event_type, place, &before, &after, expires_at).await? {
            return Ok(transition);
        }
    }
    Err(PortError::transient("remembering a run", "other events of the same place kept being faster"))
}
