//! Subscriptions: which events go to which destination.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de};
use shared::domain::destination::{DeliveryPath, Label};
use shared::domain::event_type::EventTypeFilter;
use shared::domain::id::{AccountId, DestinationId, SubscriptionId};
use shared::domain::scope::Scope;
use shared::domain::subscription::{MAX_EVENT_TYPES, Subscription};
use shared::domain::timestamp::Timestamp;
use shared::ports::{CreatedSubscription, EntropyExt, PortResult};

use crate::Deps;
use crate::body::Json;
use crate::caller::{Configurer, Reader};
use crate::named::{Kind, Named};
use crate::pages::PageRequest;
use crate::problem::{Code, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    name: Label,
    destination_id: DestinationId,
    #[serde(deserialize_with = "event_types")]
    event_types: Vec<EventTypeFilter>,
    scope: Scope,
    #[serde(default)]
    path: Option<DeliveryPath>,
}

fn event_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventTypeFilter>, D::Error> {
    let types = Vec::deserialize(deserializer)?;
    if (1..=MAX_EVENT_TYPES).contains(&types.len()) {
        Ok(types)
    } else {
        Err(de::Error::custom(format_args!("must list 1 to {MAX_EVENT_TYPES} event types, or `*`")))
    }
}

#[derive(Serialize)]
struct SubscriptionView {
    id: SubscriptionId,
    name: Label,
    destination_id: DestinationId,
    event_types: Vec<EventTypeFilter>,
    scope: Scope,
    path: Option<DeliveryPath>,
    created_at: Timestamp,
}

fn view(subscription: Subscription) -> SubscriptionView {
    let Subscription { id, name, destination, event_types, scope, path, created_at, account: _ } = subscription;
    SubscriptionView { id, name, destination_id: destination, event_types, scope, path, created_at }
}

pub async fn create(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Json(new): Json<NewSubscription>,
) -> Result<Response, Problem> {
    let subscription = Subscription {
        id: SubscriptionId::from_entropy(deps.entropy.bytes()?),
        account,
        name: new.name,
        destination: new.destination_id,
        event_types: new.event_types,
        scope: new.scope,
        path: new.path,
        created_at: deps.clock.now(),
    };
    match deps.subscriptions.create_subscription(&subscription).await? {
        CreatedSubscription::Created => Ok((StatusCode::CREATED, Answer(view(subscription))).into_response()),
        CreatedSubscription::NoDestination => {
            Err(Problem::at(Code::ValidationFailed, "/destination_id", "there is no such destination"))
        }
    }
}

pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
) -> Result<Response, Problem> {
    let after = page.after()?;
    let found = deps.subscriptions.list_subscriptions(&account, after.as_ref(), page.to_read()).await?;
    Ok(Answer(page.page(found, |s| s.id.to_string(), view)).into_response())
}

pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<SubscriptionId>,
) -> Result<Response, Problem> {
    let found = deps.subscriptions.find_subscription(&account, &id).await?.ok_or_else(SubscriptionId::not_found)?;
    Ok(Answer(view(found)).into_response())
}

pub async fn delete(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<SubscriptionId>,
) -> Result<Response, Problem> {
    if deps.subscriptions.delete_subscription(&account, &id).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(SubscriptionId::not_found())
    }
}

/// How many subscriptions are read at a time, and named at most, where a destination is in use.
const NAMED: usize = 100;

/// Ids of subscriptions that send to a destination: enough of them to act on.
pub async fn sending_to(deps: &Deps, account: &AccountId, destination: &DestinationId) -> PortResult<Vec<String>> {
    let (mut named, mut after) = (Vec::new(), None);
    loop {
        let page = deps.subscriptions.list_subscriptions(account, after.as_ref(), NAMED).await?;
        let users = page.iter().filter(|subscription| subscription.destination == *destination);
        named.extend(users.map(|subscription| subscription.id.to_string()));
        after = page.last().map(|subscription| subscription.id.clone());
        if page.len() < NAMED || named.len() >= NAMED {
            named.truncate(NAMED);
            return Ok(named);
        }
    }
}
