//! `POST /v1/setups`: what a wizard does step by step, in one call: a destination, new or existing, and a subscription to it. Each
//! step is the one of its own route; here they are only put together, and taken back where a later one fails.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::domain::destination::{DeliveryPath, Destination, DestinationSettings, Label};
use shared::domain::event_type::EventTypeFilter;
use shared::domain::id::{AccountId, DestinationId};
use shared::domain::pattern::Pattern;
use shared::domain::scope::Scope;
use shared::domain::secret::SigningSecret;
use shared::domain::subscription::{EventTypes, SubscriptionSettings};
use shared::domain::transition::Transition;
use shared::ports::DeletedDestination;
use shared::telemetry::ErrorChain;
use utoipa::ToSchema;

use crate::Deps;
use crate::body::{Json, read as read_json};
use crate::caller::Configurer;
use crate::destinations::{self, DestinationView, secrets};
use crate::problem::{Code, Problem};
use crate::subscriptions::{self, SubscriptionView};
use crate::{choices, schemas, settings};

/// The most characters of a name.
const LONGEST_NAME: usize = 128;

/// A subscription to create, and its destination.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSetup {
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    #[schema(value_type = Vec<schemas::EventTypeFilter>, min_items = 1, max_items = 20)]
    event_types: EventTypes,
    #[serde(default)]
    #[schema(value_type = Option<settings::Condition>)]
    condition: Option<Pattern>,
    #[serde(default)]
    #[schema(value_type = Option<choices::Transition>)]
    transition: Option<Transition>,
    /// The subscription's; made of destination, event types and scope if left out.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Label>)]
    name: Option<Label>,
    #[serde(default)]
    #[schema(value_type = Option<schemas::DeliveryPath>)]
    path: Option<DeliveryPath>,
    /// `id` of an existing destination and nothing else; or the fields of a new one.
    #[schema(value_type = settings::WantedDestination)]
    destination: Map<String, Value>,
}

/// The destination that is asked for.
enum Wanted {
    Existing(DestinationId),
    New { settings: Box<DestinationSettings>, secret: Option<SigningSecret> },
}

/// What was done, step by step.
#[derive(Serialize, ToSchema)]
#[schema(as = Setup)]
pub struct SetupView {
    /// First `destination` (`status`: `created` or `used`), with its `secret` if it was created, then `subscription` (`created`).
    steps: Vec<Step>,
}

/// One step of a setup, with what it made or took.
#[derive(Serialize, ToSchema)]
#[schema(as = SetupStep)]
#[serde(tag = "step", rename_all = "snake_case")]
enum Step {
    Destination {
        status: Status,
        #[serde(flatten)]
        destination: Box<DestinationView>,
    },
    Subscription {
        status: Status,
        #[serde(flatten)]
        subscription: Box<SubscriptionView>,
    },
}

/// Whether a step made something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SetupStatus)]
#[serde(rename_all = "snake_case")]
enum Status {
    Created,
    Used,
}

/// Set up a subscription with its destination
///
/// What a wizard does, in one call: takes an existing destination or creates one, whose secret is shown this once, and creates a
/// subscription to it. When a step fails, the problem says which, and what was created before is deleted again.
#[utoipa::path(
    post,
    path = "/v1/setups",
    operation_id = "create_setup",
    tag = "setups",
    request_body = NewSetup,
    responses(
        (status = 201, description = "Everything was set up.", body = SetupView),
        (status = 409, description = "`name_taken`, `limit_reached`: as for the destination or the subscription alone; nothing was set up."),
        (status = 422, description = "`validation_failed`, `blocked_address`: `errors` points at it; nothing was set up.")
    )
)]
pub async fn create(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Json(new): Json<NewSetup>,
) -> Result<Response, Problem> {
    let NewSetup { scope, event_types, condition, transition, name, path, destination } = new;
    let (destination, secret) = take_destination(&deps, &account, destination)
        .await
        .map_err(|problem| problem.under("/destination").in_step("destination", ""))?;
    let name = match name {
        Some(name) => name,
        None => default_name(&destination, &event_types, &scope)?,
    };
    let destination_id = destination.id.clone();
    let settings =
        SubscriptionSettings { name, destination_id, event_types, scope, condition, transition, path, enabled: true };
    let subscription = match subscriptions::add(&deps, account, settings).await {
        Ok(subscription) => subscription,
        Err(problem) => return Err(undo(&deps, &destination, secret.is_some(), problem).await),
    };
    let now = deps.clock.now();
    let (status, view) = match secret {
        Some(secret) => (Status::Created, destinations::view_with_secret(destination, &secret, now)),
        None => (Status::Used, destinations::view(destination, now)),
    };
    let steps = vec![
        Step::Destination { status, destination: Box::new(view) },
        Step::Subscription { status: Status::Created, subscription: Box::new(subscriptions::view(subscription)) },
    ];
    Ok((StatusCode::CREATED, Answer(SetupView { steps })).into_response())
}

/// The destination, with its secret if it was created.
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
        let pointer = format!("/{}", other.replace('~', "~0").replace('/', "~1"));
        let detail = "belongs to a new destination; an existing one is named by its `id` alone";
        return Err(Problem::at(Code::ValidationFailed, &pointer, detail));
    }
    let wrong = |error: serde_json::Error| Problem::at(Code::ValidationFailed, "/id", error.to_string());
    serde_json::from_value(id).map(Wanted::Existing).map_err(wrong)
}

/// `Billing: sync_run.completed at connection/xero`, cut to the length of a name.
fn default_name(destination: &Destination, event_types: &EventTypes, scope: &Scope) -> Result<Label, Problem> {
    let types: Vec<EventTypeFilter> = event_types.clone().into();
    let types: Vec<_> = types.iter().map(ToString::to_string).collect();
    let text = format!("{}: {} at {scope}", destination.settings.name.as_str(), types.join(", "));
    let text: String = text.chars().take(LONGEST_NAME).collect();
    Label::try_from(text).map_err(|error| Problem::at(Code::ValidationFailed, "/name", error.to_string()))
}

/// The problem of the subscription, once the destination that was created for it is deleted again.
async fn undo(deps: &Deps, destination: &Destination, created: bool, problem: Problem) -> Problem {
    // The only part of a subscription that cannot be seen to be wrong in itself.
    let problem = if problem.code() == Code::ValidationFailed { no_destination("/destination/id") } else { problem };
    if !created {
        return problem.in_step("subscription", "");
    }
    match deps.destinations.delete_destination(&destination.account, &destination.id).await {
        Ok(DeletedDestination::Deleted | DeletedDestination::NotFound) => {
            problem.in_step("subscription", "; the new destination was deleted again")
        }
        kept => {
            if let Err(error) = kept {
                tracing::error!(error = %ErrorChain(&error), "a new destination could not be deleted again");
            }
            let told = format!("; the new destination {} is still there: see what sends to it", destination.id);
            problem.in_step("subscription", &told)
        }
    }
}
