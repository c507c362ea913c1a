//! `POST /v1/subscriptions/match`: what an event would set off, and why each subscription wants it or not. The domain's
//! rules decide, as they do in `fanout`, but nothing is sent, sealed or remembered.

pub mod explain;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::delivery::Delivery;
use domain::destination::{Admission, DeliveryPath, DestinationUrl};
use domain::event::{Event, EventType, Scope};
use domain::routing::subscription::deliveries;
use domain::routing::{Bucket, Candidate, Run, Subscription, Transition};
use domain::value::{AccountId, DestinationId, SubscriptionId, Timestamp, json};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use self::explain::SubscriptionMatch;
use crate::resources::ingest;
use crate::web::body::Json;
use crate::web::caller::Reader;
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, schemas};

/// How many destinations are looked up concurrently.
const AT_ONCE: usize = 10;

/// What is asked about: either `event` or `sample`.
#[derive(Deserialize, ToSchema)]
#[schema(as = MatchRequest)]
#[serde(deny_unknown_fields)]
pub struct Question {
    #[serde(default)]
    event: Option<AskedEvent>,
    #[serde(default)]
    sample: Option<AskedSample>,
}

/// An event as a producer would push it. It is refused for what a pushed one would be refused for.
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
    /// What the JSON Schema of the type asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = Object)]
    data: Option<Box<RawValue>>,
}

/// The catalogue's sample of a type, as if its run had ended now.
#[derive(Deserialize, ToSchema)]
#[schema(as = MatchedSample)]
#[serde(deny_unknown_fields)]
struct AskedSample {
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    /// Which of the type's samples; the most usual one if left out.
    #[serde(default)]
    status: Option<String>,
    /// Where it happened; the sample's own place if left out.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
}

/// The answer about an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Matches)]
pub struct Matches {
    event: EventView,
    /// All that would be sent, on every page: one for each destination and path.
    deliveries: Vec<DeliveryView>,
    /// A page of the account's subscriptions.
    #[serde(flatten)]
    subscriptions: Page<SubscriptionMatch>,
}

/// The event that was judged.
#[derive(Serialize, ToSchema)]
#[schema(as = JudgedEvent)]
struct EventView {
    #[serde(rename = "type")]
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    /// Which change in the runs of its place it is; `null` for none.
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
    /// Where it would go: the destination's URL with the path.
    #[schema(value_type = schemas::DestinationUrl)]
    url: DestinationUrl,
    /// Whether it would be set aside, because the destination is paused, failing or disabled.
    parked: bool,
    /// The subscriptions that ask for it.
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
/// Which subscriptions an event would match, and for each that does not, why. Nothing is sent or remembered. `data` lists all
/// subscriptions of the account in the order of their ids.
#[utoipa::path(
    post,
    path = "/v1/subscriptions/match",
    operation_id = "match_subscriptions",
    tag = "subscriptions",
    params(PageParameters),
    request_body = Question,
    responses((status = 200, description = "What the event would set off.", body = Matches))
)]
pub async fn judge(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Json(question): Json<Question>,
) -> Result<Response, Problem> {
    let Judged { event, data, run } = question.read(&account, deps.clock.now())?;
    let after = page.after()?;
    let transition = explain::transition(&deps, &account, event.event_type, &event.scope, run.as_ref()).await?;
    let candidate = Candidate { event_type: event.event_type, scope: &event.scope, data: &data, transition };
    let deliveries = owed(&deps, &event, candidate).await?;
    let found = deps.subscriptions.list_subscriptions(&account, after.as_ref(), page.to_read()).await?;
    let subscriptions = page.page(found, |s| s.id.to_string(), |s| SubscriptionMatch::new(s, candidate));
    let event = EventView { event_type: event.event_type, scope: event.scope.clone(), transition };
    Ok(Answer(Matches { event, deliveries, subscriptions }).into_response())
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
    /// Reads the event as `fanout` would if it were pushed now.
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
        // The sample's own times are long past: a run that ended then would come too late to be a change.
        let run = Run::of_event(&event.id, &data).map(|run| Run { completed_at: now, ..run });
        Ok(Judged { event, data, run })
    }
}

/// What the event would owe, found in the same way as in `fanout`.
async fn owed(deps: &Deps, event: &Event, candidate: Candidate<'_>) -> PortResult<Vec<DeliveryView>> {
    let buckets = Bucket::of_event(event.event_type, &event.scope);
    let listening = deps.subscriptions.find_subscriptions(&event.account, &buckets).await?;
    let owed = deliveries(event, candidate.data, candidate.transition, &listening);
    let views = stream::iter(owed).map(|delivery| view(deps, delivery, &listening, candidate));
    let views: Vec<_> = views.buffered(AT_ONCE).try_collect().await?;
    Ok(views.into_iter().flatten().collect())
}

/// A delivery as it is answered; `None` if its destination has just been deleted.
async fn view(
    deps: &Deps,
    delivery: Delivery,
    listening: &[Arc<Subscription>],
    candidate: Candidate<'_>,
) -> PortResult<Option<DeliveryView>> {
    let found = deps.destinations.find_destination(&delivery.account, &delivery.destination).await?;
    let asks = |s: &&Arc<Subscription>| {
        let settings = &s.settings;
        settings.destination_id == delivery.destination && settings.path == delivery.path && s.check(candidate).is_ok()
    };
    // A subscription that is indexed under several event types may have been found more than once.
    let ids: BTreeSet<_> = listening.iter().filter(asks).map(|s| s.id.clone()).collect();
    Ok(found.map(|destination| DeliveryView {
        url: destination.settings.url.join(delivery.path.as_ref()),
        parked: destination.admission(deps.clock.now()) != Admission::Everything,
        subscription_ids: ids.into_iter().collect(),
        destination_id: delivery.destination,
        path: delivery.path,
    }))
}
