//! Why a subscription matches an event or not, in words: for a dry run (`matching`) and for an accepted event that
//! matched nothing (`events`). The domain has the rules.
//!
//! Invariant: an explanation reads no more than one request may read (tests:
//! `an_explanation_reads_no_more_than_a_request_may_however_long_subscriptions_are`).
//!
//! Invariant: an event that matched nothing says why in the words of the dry run (tests:
//! `an_unmatched_event_tells_the_first_demand_it_fails_of_each_subscription_nearest_first`).

use std::collections::BTreeMap;

use domain::event::{EventType, EventTypeFilter, Scope};
use domain::routing::{Bucket, Candidate, Miss, Run, Subscription, Transition, Work};
use domain::value::{AccountId, Label, SubscriptionId, json};
use ports::{Order, PortError, PortResult, SealedEvent, read_units};
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::{Deps, schemas};

/// How many subscriptions are explained for an event that matched nothing.
const NEAREST: usize = 20;
/// How many of the account's subscriptions are considered, in addition to as many of each bucket that the event looked into.
const LOOKED_AT: usize = 200;
/// The greatest cost of each, in read units: a row has 5 KiB, and only those of the account are read consistently.
const FILED_UNITS: usize = 1;
const LISTED_UNITS: usize = 2;

/// Whether one subscription matches.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionMatch {
    #[schema(value_type = schemas::SubscriptionId)]
    subscription_id: SubscriptionId,
    #[schema(value_type = schemas::Label)]
    name: Label,
    matches: bool,
    /// Why it does not match; `null` if it matches.
    #[schema(required)]
    reason: Option<Reason>,
}

/// The first requirement of a subscription that an event does not meet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MissReason)]
struct Reason {
    code: MissCode,
    /// A JSON pointer into the subscription.
    #[schema(example = "/condition/status")]
    pointer: String,
    /// What the subscription requires and what the event has, for people.
    detail: String,
}

/// Which requirement of a subscription is not met. They are checked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MissCode {
    Disabled,
    EventType,
    Scope,
    Condition,
    Transition,
    Grace,
    Destination,
}

impl SubscriptionMatch {
    pub fn new(subscription: &Subscription, candidate: Candidate<'_>) -> Self {
        let miss = subscription.check(candidate).err();
        let reason = miss.map(|miss| reason(miss, subscription, candidate));
        let (subscription_id, name) = (subscription.id.clone(), subscription.settings.name.clone());
        Self { subscription_id, name, matches: reason.is_none(), reason }
    }

    pub fn matches(&self) -> bool {
        self.matches
    }
}

fn reason(miss: Miss, subscription: &Subscription, candidate: Candidate<'_>) -> Reason {
    let settings = &subscription.settings;
    let (code, pointer, detail) = match miss {
        Miss::Disabled => (MissCode::Disabled, "/enabled".to_owned(), "it is disabled".to_owned()),
        Miss::EventType => {
            let types: Vec<EventTypeFilter> = settings.event_types.clone().into();
            let types: Vec<_> = types.iter().map(ToString::to_string).collect();
            let detail = format!("it wants {}; the event is {}", types.join(" or "), candidate.event_type);
            (MissCode::EventType, "/event_types".to_owned(), detail)
        }
        Miss::Scope => {
            let detail = format!("it listens at {}; the event is about {}", settings.scope, candidate.scope);
            (MissCode::Scope, "/scope".to_owned(), detail)
        }
        Miss::Condition(mismatch) => (MissCode::Condition, format!("/condition{}", mismatch.pointer), mismatch.detail),
        Miss::Transition { wanted, was } => {
            let was = was.map_or("neither broke nor recovered", Transition::as_str);
            let detail = format!("it waits for {}; the event is {was}", wanted.as_str());
            (MissCode::Transition, "/transition".to_owned(), detail)
        }
        Miss::Grace { wanted } => {
            let (wanted, was) = (u64::from(wanted), &candidate.data["grace_seconds"]);
            let detail = format!("it waits for {wanted} seconds; the event reports a run that is {was} seconds late");
            (MissCode::Grace, "/grace_seconds".to_owned(), detail)
        }
        Miss::Destination => {
            let detail = "the event is about this destination, and no destination gets events about itself".to_owned();
            (MissCode::Destination, "/destination_id".to_owned(), detail)
        }
    };
    Reason { code, pointer, detail }
}

/// Whether an event is a transition, compared with the runs of its place that are remembered.
pub async fn transition(
    deps: &Deps,
    account: &AccountId,
    event_type: EventType,
    place: &Scope,
    run: Option<&Run>,
) -> PortResult<Option<Transition>> {
    let Some(run) = run else { return Ok(None) };
    Ok(deps.transitions.find_runs(account, event_type, place).await?.history.judge(run))
}

/// Why today's subscriptions do not match this event, closest first.
pub async fn nearest(deps: &Deps, event: &SealedEvent) -> PortResult<Vec<SubscriptionMatch>> {
    // It is parsed alone, because within the body it may be nested too deeply for the parser.
    let data = json::value(event.read()?.data.get())
        .map_err(|error| PortError::permanent("reading an event's data", error))?;
    let run = Run::of_event(&event.id, &data);
    let transition = transition(deps, &event.account, event.event_type, &event.scope, run.as_ref()).await?;
    let (event_type, scope, work) = (event.event_type, &event.scope, Work::default());
    let candidate = Candidate { event_type, scope, data: &data, transition, work: &work };

    // One after the other, as many as the request may read.
    let mut once: BTreeMap<SubscriptionId, Subscription> = BTreeMap::new();
    for bucket in &Bucket::of_event(event.event_type, &event.scope) {
        let most = LOOKED_AT.min(read_units::left_for(FILED_UNITS));
        let filed = deps.subscriptions.find_subscriptions(&event.account, bucket, None, most).await?;
        once.extend(filed.into_iter().map(|s| (s.id.clone(), s)));
    }
    let most = LOOKED_AT.min(read_units::left_for(LISTED_UNITS));
    let listed = deps.subscriptions.list_subscriptions(&event.account, Order::OldestFirst, None, most).await?;
    once.extend(listed.into_iter().map(|s| (s.id.clone(), s)));
    let mut nearest: Vec<Subscription> = once.into_values().collect();
    nearest.sort_by_cached_key(|subscription| distance(subscription, candidate));
    nearest.truncate(NEAREST);
    // If the comparison used up its steps, the distances have no meaning.
    if work.is_over() {
        return Ok(Vec::new());
    }
    Ok(nearest.iter().map(|subscription| SubscriptionMatch::new(subscription, candidate)).collect())
}

/// How far a subscription is from matching the event: the earlier the first requirement that is not met, the farther.
/// Among equals, disabled subscriptions come last.
fn distance(subscription: &Subscription, candidate: Candidate<'_>) -> (u8, bool) {
    let disabled = !subscription.settings.enabled;
    let mut enabled = subscription.clone();
    enabled.settings.enabled = true;
    let distance = match enabled.check(candidate) {
        Ok(()) => 0,
        Err(Miss::Transition { .. } | Miss::Grace { .. } | Miss::Destination) => 1,
        Err(Miss::Condition(_)) => 2,
        Err(Miss::Scope) => 3,
        Err(Miss::EventType | Miss::Disabled) => 4,
    };
    (distance, disabled)
}
