//! `POST /v1/setups`: the steps of a wizard in one call: a new or existing destination, a subscription to it, and a
//! test payload. Each step does the same as its own route. If a later step fails, what was created is deleted again.

mod steps;

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::attempt::SigningSecret;
use domain::destination::{DeliveryPath, Destination, DestinationSettings};
use domain::event::{Event, EventType, EventTypeFilter, Scope, UnknownStatus};
use domain::routing::{AwaitedTransition, EventTypes, Grace, Pattern, Reach, SubscriptionSettings};
use domain::value::{AccountId, DestinationId, Label, Place, Timestamp, json};
use http::StatusCode;
use ports::{DeletedDestination, PortResult};
use runtime::telemetry::ErrorChain;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use self::steps::{
    Created, DestinationName, DestinationStatus, DestinationStep, SetupView, Step, SubscriptionName, SubscriptionStep,
    TestStatus, TestStep,
};
use crate::resources::destinations::{self, secrets, test_payload};
use crate::resources::subscriptions::{self, warnings};
use crate::web::body::{Json, read as read_json};
use crate::web::caller::Configurer;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, schemas};

/// The greatest length of a name, in characters.
const LONGEST_NAME: usize = 128;
/// How many places of a connection are read to find its name.
const ASKED_FOR_A_NAME: usize = 25;

/// A subscription to create, and its destination.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSetup {
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    #[schema(value_type = Vec<schemas::EventTypeFilter>, min_items = 1, max_items = 20)]
    event_types: EventTypes,
    /// What `data` must look like. Default: `null`, which matches everything.
    #[serde(default)]
    #[schema(value_type = Option<subscriptions::settings::Condition>)]
    condition: Option<Pattern>,
    /// The transition that an event must be. Default: `null`, any event.
    #[serde(default)]
    #[schema(value_type = Option<choices::AwaitedTransition>)]
    transition: Option<AwaitedTransition>,
    /// The name of the subscription. By default, it is made of the destination, the event types and the place, such as
    /// `Billing: sync runs of Xero › Invoices`.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Label>)]
    name: Option<Label>,
    #[serde(default)]
    #[schema(value_type = Option<schemas::DeliveryPath>)]
    path: Option<DeliveryPath>,
    #[schema(value_type = WantedDestination)]
    destination: Map<String, Value>,
    /// The test to run when everything is created. Default: `null`, no test.
    #[serde(default)]
    test: Option<WantedTest>,
}

/// An existing destination, or a new one.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a schema: the value is read step by step, so that its secret is never repeated")]
enum WantedDestination {
    Existing(ExistingDestination),
    New(destinations::settings::NewDestination),
}

/// A destination of the account.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a schema")]
struct ExistingDestination {
    #[schema(value_type = schemas::DestinationId)]
    id: (),
}

/// A test payload.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedTest {
    /// The event type whose sample is sent. Default: the first, in the order of names, that the subscription accepts.
    #[serde(default)]
    #[schema(value_type = Option<schemas::EventType>)]
    event_type: Option<EventType>,
    /// Which of its samples is sent: one of the type's `statuses`. Default: the first of them, the most common one.
    #[serde(default)]
    #[schema(example = "failed")]
    status: Option<String>,
    /// Whether three forged requests are sent as well, which a correct receiver refuses.
    #[serde(default)]
    prove: bool,
}

/// The requested destination.
enum Wanted {
    Existing(DestinationId),
    New { settings: Box<DestinationSettings>, secret: Option<SigningSecret> },
}

/// Set up a subscription with its destination
///
/// Does the work of a wizard in one call: uses an existing destination or creates one, whose secret is shown only this once; creates a
/// subscription to it; and sends a test payload if requested. If the destination or the subscription cannot be created, the problem
/// says which, and what was created before is deleted again. A test that fails is reported and undoes nothing.
#[utoipa::path(
    post,
    path = "/v1/setups",
    operation_id = "create_setup",
    tag = "setups",
    request_body = NewSetup,
    responses(
        (status = 201, description = "Everything was set up.", body = SetupView),
        (status = 409, description = "`name_taken`, `limit_reached`: the same as for the destination or the subscription alone; nothing was set up."),
        (status = 422, description = "`validation_failed`, `blocked_address`: `errors` points at it; nothing was set up.")
    )
)]
pub async fn create(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let ends = test_payload::deadline();
    let fields = body.get("destination").and_then(Value::as_object).cloned();
    // The faults of the destination are reported together with the others.
    let with_destination = |problem: Problem| match fields.map(wanted) {
        Some(Err(wrong)) => problem.and(of_destination(wrong)),
        _ => problem,
    };
    let NewSetup { scope, event_types, condition, transition, name, path, destination, test } =
        read_json(body).map_err(with_destination)?;
    let reach = Reach::new(&event_types, &scope, condition.as_ref(), transition);
    warnings::refuse_unreachable(reach).map_err(|problem| problem.in_step("subscription", ""))?;
    let test = test.map(|test| test.read(&account, &event_types, deps.clock.now())).transpose()?;
    let place = if name.is_none() { place(&deps, &account, &scope).await? } else { None };
    let (destination, secret) = take_destination(&deps, &account, destination).await.map_err(of_destination)?;
    let name = match name {
        Some(name) => name,
        None => default_name(&destination, &event_types, &scope, place)?,
    };
    let destination_id = destination.id.clone();
    let grace = Grace::default();
    let settings = SubscriptionSettings {
        name,
        destination_id,
        event_types,
        scope,
        condition,
        transition,
        path,
        grace,
        enabled: true,
    };
    let subscription = match subscriptions::add(&deps, account, settings).await {
        Ok(subscription) => subscription,
        Err(problem) => return Err(undo(&deps, &destination, secret.is_some(), problem).await),
    };
    let path = subscription.settings.path.clone();
    let tested = match test {
        None => TestStep::not_made(TestStatus::Skipped, "no test was asked for"),
        Some((event, prove)) => {
            TestStep::made(test_payload::make(&deps, &destination, &event, path, prove, ends).await)
        }
    };
    let now = deps.clock.now();
    let (status, view) = match secret {
        Some(secret) => (DestinationStatus::Created, destinations::view_with_secret(destination, &secret, now)),
        None => (DestinationStatus::Used, destinations::view(destination, now)),
    };
    let destination = DestinationStep { step: DestinationName::Destination, status, destination: view };
    let subscription = subscriptions::view(subscription);
    let subscription =
        SubscriptionStep { step: SubscriptionName::Subscription, status: Created::Created, subscription };
    let steps = [
        Step::Destination(Box::new(destination)),
        Step::Subscription(Box::new(subscription)),
        Step::Test(Box::new(tested)),
    ];
    Ok((StatusCode::CREATED, Answer(SetupView { steps })).into_response())
}

impl WantedTest {
    /// Returns the sample to send, and whether forged requests follow it.
    fn read(self, account: &AccountId, wanted: &EventTypes, now: Timestamp) -> Result<(Event, bool), Problem> {
        let first = EventType::all().find(|event_type| wanted.accept(*event_type));
        let unknown = || Problem::at(Code::ValidationFailed, "/test/event_type", "give the event type to send");
        let event_type = self.event_type.or(first).ok_or_else(unknown)?;
        let event = Event::sample(event_type, self.status.as_deref(), account.clone(), now);
        let wrong = |error: UnknownStatus| Problem::at(Code::ValidationFailed, "/test/status", error.to_string());
        event.map(|event| (event, self.prove)).map_err(wrong)
    }
}

/// The problem of the destination, with pointers to its part of the body.
fn of_destination(problem: Problem) -> Problem {
    problem.under("/destination").in_step("destination", "")
}

/// Finds or creates the destination. Returns the secret of a created one.
async fn take_destination(
    deps: &Deps,
    account: &AccountId,
    fields: Map<String, Value>,
) -> Result<(Destination, Option<SigningSecret>), Problem> {
    match wanted(fields)? {
        Wanted::Existing(id) => {
            let found = deps.destinations.find_destination(account, &id).await?;
            found.map(|destination| (destination, None)).ok_or_else(|| no_destination("/id"))
        }
        Wanted::New { settings, secret } => {
            destinations::check_address(deps, &settings.url).await?;
            let (destination, secret) = destinations::add(deps, account.clone(), *settings, secret).await?;
            Ok((destination, Some(secret)))
        }
    }
}

fn no_destination(pointer: &str) -> Problem {
    Problem::at(Code::ValidationFailed, pointer, "there is no such destination")
}

fn wanted(mut fields: Map<String, Value>) -> Result<Wanted, Problem> {
    let Some(id) = fields.remove("id") else {
        let secret = secrets::take(&mut fields)?;
        return Ok(Wanted::New { settings: Box::new(read_json(Value::Object(fields))?), secret });
    };
    if let Some(other) = fields.keys().next() {
        let pointer = Place::of(other).pointer();
        let detail = "belongs to a new destination; for an existing one, give only its `id`";
        return Err(Problem::at(Code::ValidationFailed, &pointer, detail));
    }
    let wrong = |error: serde_json::Error| Problem::at(Code::ValidationFailed, "/id", json::reason(&error));
    serde_json::from_value(id).map(Wanted::Existing).map_err(wrong)
}

/// The name of a place for people, if events have named it. The latest of the first places decides.
async fn place(deps: &Deps, account: &AccountId, scope: &Scope) -> PortResult<Option<String>> {
    if *scope == Scope::Everything {
        return Ok(None);
    }
    let now = deps.clock.now();
    let seen = deps.scopes.list_scopes(account, scope, None, ASKED_FOR_A_NAME).await?;
    let latest = seen.iter().filter(|seen| seen.expires_at > now).max_by_key(|seen| seen.last_event_at);
    Ok(latest.map(|seen| seen.called(scope)))
}

/// A name such as `Billing: sync runs of Xero › Invoices`, or `Billing: everything`, cut to the greatest length. If a
/// place has no name, or one that a subscription's name must not contain, its scope is used.
fn default_name(
    destination: &Destination,
    event_types: &EventTypes,
    scope: &Scope,
    place: Option<String>,
) -> Result<Label, Problem> {
    let types: Vec<EventTypeFilter> = event_types.clone().into();
    let types: Vec<_> = types.into_iter().map(kind).collect();
    let what = match types.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [one, other, third] => format!("{one}, {other} and {third}"),
        [one, other, more @ ..] => format!("{one}, {other} and {} more", more.len()),
    };
    let name = |place: Option<&str>| {
        let of = place.map(|place| format!(" of {place}")).unwrap_or_default();
        let text = format!("{}: {what}{of}", destination.settings.name.as_str());
        Label::try_from(text.chars().take(LONGEST_NAME).collect::<String>())
    };
    let scope = Some(scope.to_string()).filter(|_| *scope != Scope::Everything);
    let made = name(place.as_deref().or(scope.as_deref())).or_else(|_| name(scope.as_deref()));
    made.map_err(|error| Problem::at(Code::ValidationFailed, "/name", error.to_string()))
}

fn kind(filter: EventTypeFilter) -> &'static str {
    match filter {
        EventTypeFilter::Any => "everything",
        EventTypeFilter::Only(event_type) => event_type.plural(),
    }
}

/// Deletes the destination that was created for the subscription. Returns the problem of the subscription.
async fn undo(deps: &Deps, destination: &Destination, created: bool, problem: Problem) -> Problem {
    // Everything else about a subscription was checked before; only its destination may be missing.
    let problem = if problem.code() == Code::ValidationFailed { no_destination("/destination/id") } else { problem };
    if !created {
        return problem.in_step("subscription", "");
    }
    match deps.destinations.delete_destination(&destination.account, &destination.id, None).await {
        Ok(DeletedDestination::Deleted | DeletedDestination::NotFound) => {
            problem.in_step("subscription", "; the new destination was deleted again")
        }
        kept => {
            if let Err(error) = kept {
                tracing::error!(error = %ErrorChain(&error), "a new destination could not be deleted again");
            }
            let told = format!("; the new destination {} still exists; check what sends to it", destination.id);
            problem.in_step("subscription", &told).after_changes()
        }
    }
}
