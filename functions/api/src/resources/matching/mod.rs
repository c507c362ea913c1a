//! `POST /v1/subscriptions/match`: what an event would cause, and why each subscription matches it or not. The domain's
//! rules decide, as they do in `fanout`, but nothing is sent, sealed or remembered. A request examines only one page of
//! subscriptions.
//!
//! Invariant: the cost and the size of a page do not grow with the account (tests:
//! `a_page_reads_and_answers_what_its_own_subscriptions_ask_for`, `a_dry_run_ends_its_page_where_it_has_read_enough`).

pub mod explain;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use domain::destination::{Admission, DeliveryPath, Destination, DestinationUrl};
use domain::event::{Event, EventType, Rejection, Scope};
use domain::routing::{Candidate, MOST_STEPS, Run, Subscription, Transition, Work};
use domain::value::{AccountId, DestinationId, SubscriptionId, Timestamp, json};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{PortError, PortResult, read_units};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use self::explain::SubscriptionMatch;
use crate::resources::ingest;
use crate::web::body::Json;
use crate::web::caller::Reader;
use crate::web::filters::Filters;
use crate::web::pages::{OrderParameter, Page, PageParameters, PageRequest};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, done, schemas};

/// How many destinations are read concurrently.
const AT_ONCE: usize = 10;
/// The greatest cost of reading one, in read units: a row of 20 KiB, and its health.
const LOOK_UP_UNITS: usize = 6;

/// The event to try: either `event` or `sample`.
#[derive(Deserialize, ToSchema)]
#[schema(as = MatchRequest)]
#[serde(deny_unknown_fields)]
pub struct Question {
    #[serde(default)]
    event: Option<AskedEvent>,
    #[serde(default)]
    sample: Option<AskedSample>,
}

/// An event as a producer would push it. It is refused for the same reasons as a pushed event.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = MatchedEvent)]
#[serde(deny_unknown_fields)]
struct AskedEvent {
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = schemas::EventType)]
    event_type: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = schemas::Scope)]
    scope: Option<Box<RawValue>>,
    /// An object that conforms to the JSON Schema of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = Object)]
    data: Option<Box<RawValue>>,
}

/// The catalogue's sample of an event type, as if its run had ended now.
#[derive(Deserialize, ToSchema)]
#[schema(as = MatchedSample)]
#[serde(deny_unknown_fields)]
struct AskedSample {
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    /// Which of the type's samples is used. Default: the most common one.
    #[serde(default)]
    status: Option<String>,
    /// Where the event happened. Default: the sample's own place.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
}

/// The result for an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Matches)]
pub struct Matches {
    event: EventView,
    /// The deliveries that the subscriptions of the page would cause, one for each destination and path. A subscription on
    /// another page may cause the same delivery.
    deliveries: Vec<DeliveryView>,
    /// A page of the account's subscriptions.
    #[serde(flatten)]
    subscriptions: Page<SubscriptionMatch>,
}

/// The event that was tried.
#[derive(Serialize, ToSchema)]
#[schema(as = JudgedEvent)]
struct EventView {
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    /// Which transition the event is; `null` if it is none.
    #[schema(value_type = Option<choices::Transition>, required)]
    transition: Option<Transition>,
}

/// A delivery that the event would owe.
#[derive(Serialize, ToSchema)]
#[schema(as = DryDelivery)]
struct DeliveryView {
    #[schema(value_type = schemas::DestinationId)]
    destination_id: DestinationId,
    #[schema(value_type = Option<schemas::DeliveryPath>, required)]
    path: Option<DeliveryPath>,
    /// Where it would be sent: the destination's URL with the path.
    #[schema(value_type = schemas::DestinationUrl)]
    url: DestinationUrl,
    /// Whether it would be set aside, because the destination is paused, failing or disabled.
    parked: bool,
    /// The subscriptions of the page that cause it.
    #[schema(value_type = Vec<schemas::SubscriptionId>)]
    subscription_ids: Vec<SubscriptionId>,
}

/// A valid event with its parsed data, and the run that decides its transition.
struct Judged {
    event: Event,
    data: Value,
    run: Option<Run>,
}

/// Try an event on the subscriptions
///
/// Shows which subscriptions an event would match, and why each of the others does not match. Nothing is sent or remembered.
/// `data` lists all subscriptions of the account, newest first, and `deliveries` the deliveries that those on the page would cause.
/// A page may have fewer items than `limit` although there is a next page, if reading their destinations would cost too much.
#[utoipa::path(
    post,
    path = "/v1/subscriptions/match",
    operation_id = "match_subscriptions",
    tag = "subscriptions",
    params(PageParameters, OrderParameter),
    request_body = Question,
    responses((status = 200, description = "What the event would cause.", body = Matches))
)]
pub async fn judge(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(OrderParameter { order }): Filters<OrderParameter>,
    Json(question): Json<Question>,
) -> Result<Response, Problem> {
    let Judged { event, data, run } = question.read(&account, deps.clock.now())?;
    let after = page.after()?;
    let transition = explain::transition(&deps, &account, event.event_type, &event.scope, run.as_ref()).await?;
    let (event_type, scope, work) = (event.event_type, &event.scope, Work::default());
    let candidate = Candidate { event_type, scope, data: &data, transition, work: &work };
    let order = choices::Order::wanted(order);
    let mut found = deps.subscriptions.list_subscriptions(&account, order, after.as_ref(), page.to_read()).await?;
    let mut has_more = found.len() > page.limit();
    found.truncate(page.limit());
    let mut judged: Vec<_> = found.into_iter().map(|s| (SubscriptionMatch::new(&s, candidate), s)).collect();
    if work.is_over() {
        return Err(ingest::refused(&Rejection::costs_too_much(MOST_STEPS)).under("/event"));
    }
    let asking = judged.iter().filter(|(judged, _)| judged.matches()).map(|(_, subscription)| subscription);
    let destinations = look_up(&deps, &account, asking.map(|one| &one.settings.destination_id)).await?;
    // The page ends before the first one whose destination was not read.
    let is_known = |one: &Subscription| destinations.contains_key(&one.settings.destination_id);
    let known = judged.iter().take_while(|(judged, one)| !judged.matches() || is_known(one)).count();
    has_more |= known < judged.len();
    judged.truncate(known);
    let next = judged.last().filter(|_| has_more).map(|(_, last)| last.id.clone());
    let asking = judged.iter().filter(|(judged, _)| judged.matches()).map(|(_, subscription)| subscription);
    let deliveries = deliveries(asking, &destinations, deps.clock.now());
    let event = EventView { event_type: event.event_type, scope: event.scope.clone(), transition };
    let subscriptions = page.ending_at(judged.into_iter().map(|(judged, _)| judged).collect(), next);
    Ok(done::nothing(Answer(Matches { event, deliveries, subscriptions })))
}

impl Question {
    fn read(self, account: &AccountId, now: Timestamp) -> Result<Judged, Problem> {
        match (self.event, self.sample) {
            (Some(event), None) => event.read(account, now).map_err(|problem| problem.under("/event")),
            (None, Some(sample)) => sample.read(account, now).map_err(|problem| problem.under("/sample")),
            _ => Err(Problem::at(Code::ValidationFailed, "", "must have either `event` or `sample`")),
        }
    }
}

fn read_data(event: &Event) -> PortResult<Value> {
    json::value(event.data.get()).map_err(|error| PortError::permanent("reading an event's data", error))
}

impl AskedEvent {
    /// Reads the event as `fanout` would read it if it were pushed now.
    fn read(&self, account: &AccountId, now: Timestamp) -> Result<Judged, Problem> {
        #[derive(Serialize)]
        struct Pushed<'a> {
            id: &'static str,
            account: &'a AccountId,
            occurred_at: Timestamp,
            #[serde(flatten)]
            asked: &'a AskedEvent,
        }
        let pushed = Pushed { id: "match", account, occurred_at: now, asked: self };
        let text = serde_json::to_string(&pushed).map_err(|error| PortError::permanent("writing an event", error))?;
        let event = Event::parse(&text, now).map_err(|rejection| ingest::refused(&rejection))?;
        let data = read_data(&event)?;
        let run = Run::of_event(&event.id, &data);
        Ok(Judged { event, data, run })
    }
}

impl AskedSample {
    fn read(self, account: &AccountId, now: Timestamp) -> Result<Judged, Problem> {
        let wrong = |pointer: &str, detail: String| Problem::at(Code::ValidationFailed, pointer, detail);
        let event_type = self.event_type;
        let mut event = Event::sample(event_type, self.status.as_deref(), account.clone(), now)
            .map_err(|error| wrong("/status", error.to_string()))?;
        if let Some(scope) = self.scope {
            if !event_type.happens_at(&scope) {
                let detail = format!("{event_type} events have the scope {}, not {scope}", event_type.scope_form());
                return Err(wrong("/scope", detail));
            }
            event.scope = scope;
        }
        let data = read_data(&event)?;
        // The sample's own times are long past: a run that ended then would come too late to be a transition.
        let run = Run::of_event(&event.id, &data).map(|run| Run { completed_at: now, ..run });
        Ok(Judged { event, data, run })
    }
}

/// The destinations in this order, as many as the request may read, but at least one; `None` for one that has just been deleted.
async fn look_up(
    deps: &Deps,
    account: &AccountId,
    asked: impl Iterator<Item = &DestinationId>,
) -> PortResult<HashMap<DestinationId, Option<Destination>>> {
    let (mut left, mut found) = (Vec::new(), HashMap::new());
    for id in asked {
        if !left.contains(id) {
            left.push(id.clone());
        }
    }
    // The cost of the first ones shows how many more can be read.
    while !left.is_empty() && (found.is_empty() || read_units::left_for(LOOK_UP_UNITS) > 0) {
        let some = left.drain(..read_units::left_for(LOOK_UP_UNITS).clamp(1, left.len()));
        let some = some.map(|id| async move {
            let destination = deps.destinations.find_destination(account, &id).await?;
            Ok::<_, PortError>((id, destination))
        });
        found.extend(stream::iter(some).buffered(AT_ONCE).try_collect::<Vec<_>>().await?);
    }
    Ok(found)
}

/// The deliveries that the matching subscriptions would cause.
fn deliveries<'a>(
    asking: impl Iterator<Item = &'a Subscription>,
    destinations: &HashMap<DestinationId, Option<Destination>>,
    now: Timestamp,
) -> Vec<DeliveryView> {
    let mut places: BTreeMap<_, Vec<SubscriptionId>> = BTreeMap::new();
    for subscription in asking {
        let settings = &subscription.settings;
        places.entry((&settings.destination_id, &settings.path)).or_default().push(subscription.id.clone());
    }
    let view = |((id, path), subscription_ids): ((&DestinationId, &Option<DeliveryPath>), _)| {
        let destination = destinations.get(id)?.as_ref()?;
        Some(DeliveryView {
            destination_id: id.clone(),
            path: path.clone(),
            url: destination.settings.url.join(path.as_ref()),
            parked: destination.admission(now) != Admission::Everything,
            subscription_ids,
        })
    };
    places.into_iter().filter_map(view).collect()
}
