//! Destinations: where requests go. A secret is shown by the answer that creates it and never again.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de};
use shared::domain::destination::{Destination, DestinationUrl, Label, UrlError};
use shared::domain::id::DestinationId;
use shared::domain::secret::SigningSecret;
use shared::domain::timestamp::Timestamp;
use shared::ports::{DeletedDestination, EntropyExt};

use crate::Deps;
use crate::body::Json;
use crate::caller::{Configurer, Reader};
use crate::named::{Kind, Named};
use crate::pages::PageRequest;
use crate::problem::{Code, Problem};
use crate::subscriptions;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewDestination {
    name: Label,
    url: DestinationUrl,
    /// Generated when it is not given.
    #[serde(default, deserialize_with = "secret")]
    secret: Option<SigningSecret>,
}

/// Reads a secret without repeating it in the error.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SigningSecret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

#[derive(Serialize)]
struct DestinationView<'a> {
    id: DestinationId,
    name: Label,
    url: DestinationUrl,
    /// Only in the answer that created the destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    created_at: Timestamp,
}

fn view(destination: Destination) -> DestinationView<'static> {
    let Destination { id, name, url, created_at, .. } = destination;
    DestinationView { id, name, url, secret: None, created_at }
}

pub async fn create(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Json(new): Json<NewDestination>,
) -> Result<Response, Problem> {
    check_address(&deps, &new.url).await?;
    let id = DestinationId::from_entropy(deps.entropy.bytes()?);
    let secret = match new.secret {
        Some(given) => given,
        None => SigningSecret::from_entropy(deps.entropy.bytes()?),
    };
    let sealed = deps.vault.seal(&account, &id, &secret).await?;
    let created_at = deps.clock.now();
    let destination = Destination { id, account, name: new.name, url: new.url, secrets: vec![sealed], created_at };
    deps.destinations.create_destination(&destination).await?;
    let revealed = secret.reveal();
    let view = DestinationView { secret: Some(revealed.as_str()), ..view(destination) };
    Ok((StatusCode::CREATED, Answer(view)).into_response())
}

/// Refuses what would be blocked when it is called. A host that does not resolve now may do so later, and is accepted.
async fn check_address(deps: &Deps, url: &DestinationUrl) -> Result<(), Problem> {
    let blocked = |error: UrlError| match error {
        UrlError::Blocked(_) => Problem::at(Code::BlockedAddress, "/url", error.to_string()),
        _ => Problem::at(Code::ValidationFailed, "/url", error.to_string()),
    };
    url.check(&deps.addresses).map_err(blocked)?;
    let Some(host) = url.domain() else { return Ok(()) };
    let addresses = deps.hosts.addresses(host, url.port()).await;
    match addresses.into_iter().find(|address| !deps.addresses.permits(*address)) {
        Some(address) => Err(blocked(UrlError::Blocked(address.to_string()))),
        None => Ok(()),
    }
}

pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
) -> Result<Response, Problem> {
    let after = page.after()?;
    let found = deps.destinations.list_destinations(&account, after.as_ref(), page.to_read()).await?;
    Ok(Answer(page.page(found, |d| d.id.to_string(), view)).into_response())
}

pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
) -> Result<Response, Problem> {
    let found = deps.destinations.find_destination(&account, &id).await?.ok_or_else(DestinationId::not_found)?;
    Ok(Answer(view(found)).into_response())
}

pub async fn delete(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
) -> Result<Response, Problem> {
    match deps.destinations.delete_destination(&account, &id).await? {
        DeletedDestination::Deleted => Ok(StatusCode::NO_CONTENT.into_response()),
        DeletedDestination::NotFound => Err(DestinationId::not_found()),
        DeletedDestination::InUse => {
            let users = subscriptions::sending_to(&deps, &account, &id).await?;
            let detail = format!("these subscriptions send to it; delete them first: {}", users.join(", "));
            Err(Problem::new(Code::DestinationInUse, detail))
        }
    }
}
