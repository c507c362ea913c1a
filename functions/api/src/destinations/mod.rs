//! Destinations: where requests go. A secret is shown by the answer that creates it and never again.

pub mod secrets;

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::domain::destination::{Destination, DestinationSecret, DestinationSettings, DestinationUrl, UrlError};
use shared::domain::id::{AccountId, DestinationId};
use shared::domain::secret::SigningSecret;
use shared::domain::timestamp::Timestamp;
use shared::ports::{CreatedDestination, DeletedDestination, EntropyExt, UpdatedDestination};
use zeroize::Zeroizing;

use crate::Deps;
use crate::body::{Json, MergePatch, read as read_json};
use crate::caller::{Configurer, Reader};
use crate::etag::{IfMatch, changed, etag};
use crate::named::{Kind, Named};
use crate::pages::PageRequest;
use crate::problem::{Code, Problem};
use crate::subscriptions;

/// How often a change is made anew because somebody else changed the same thing meanwhile.
const TRIES: u32 = 5;

/// How a destination does: `paused` while its owner has disabled it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Healthy,
    Paused,
}

#[derive(Serialize)]
pub struct DestinationView {
    id: DestinationId,
    #[serde(flatten)]
    settings: DestinationSettings,
    health: Health,
    /// The valid ones, newest first.
    secrets: Vec<SecretView>,
    /// The current secret itself: only in the answer that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Zeroizing<String>>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct SecretView {
    fingerprint: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

pub fn view(destination: Destination, now: Timestamp) -> DestinationView {
    let secret = |s: &DestinationSecret| SecretView {
        fingerprint: s.fingerprint.clone(),
        created_at: s.created_at,
        expires_at: s.expires_at,
    };
    DestinationView {
        secrets: destination.live_secrets(now).map(secret).collect(),
        id: destination.id,
        health: if destination.settings.enabled { Health::Healthy } else { Health::Paused },
        settings: destination.settings,
        secret: None,
        created_at: destination.created_at,
        updated_at: destination.updated_at,
    }
}

/// As [`view`], with the secret that was just created.
pub fn view_with_secret(destination: Destination, secret: &SigningSecret, now: Timestamp) -> DestinationView {
    DestinationView { secret: Some(secret.reveal()), ..view(destination, now) }
}

/// An answer that is one destination, with its version as `etag`.
fn answer(status: StatusCode, version: u64, view: DestinationView) -> Response {
    (status, [(header::ETAG, etag(version))], Answer(view)).into_response()
}

pub async fn create(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Json(mut body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let given = secrets::take(&mut body)?;
    let settings: DestinationSettings = read_json(Value::Object(body))?;
    check_address(&deps, &settings.url).await?;
    let (destination, secret) = add(&deps, account, settings, given).await?;
    let version = destination.version;
    Ok(answer(StatusCode::CREATED, version, view_with_secret(destination, &secret, deps.clock.now())))
}

/// Creates a destination whose address was checked, and answers it with its secret, which nothing else tells.
pub async fn add(
    deps: &Deps,
    account: AccountId,
    settings: DestinationSettings,
    given: Option<SigningSecret>,
) -> Result<(Destination, SigningSecret), Problem> {
    let id = DestinationId::from_entropy(deps.entropy.bytes()?);
    let secret = secrets::given_or_generated(deps, given)?;
    let destination = new(deps, id, account, settings, &secret).await?;
    match deps.destinations.create_destination(&destination, deps.limits.destinations).await? {
        CreatedDestination::Created => Ok((destination, secret)),
        CreatedDestination::NameTaken => Err(name_taken()),
        CreatedDestination::LimitReached => Err(limit_reached(deps)),
    }
}

async fn new(
    deps: &Deps,
    id: DestinationId,
    account: AccountId,
    settings: DestinationSettings,
    secret: &SigningSecret,
) -> Result<Destination, Problem> {
    let now = deps.clock.now();
    let secrets = vec![secrets::seal(deps, &account, &id, secret, now).await?];
    Ok(Destination { id, account, settings, secrets, created_at: now, updated_at: now, version: 1 })
}

fn name_taken() -> Problem {
    Problem::at(Code::NameTaken, "/name", "another destination of the account has this name; choose another")
}

fn limit_reached(deps: &Deps) -> Problem {
    let detail =
        format!("the account has {} destinations, the most it may; delete one first", deps.limits.destinations);
    Problem::new(Code::LimitReached, detail)
}

/// Refuses what would be blocked when it is called. A host that does not resolve now may do so later, and is accepted.
pub async fn check_address(deps: &Deps, url: &DestinationUrl) -> Result<(), Problem> {
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
    let now = deps.clock.now();
    Ok(Answer(page.page(found, |d| d.id.to_string(), |d| view(d, now))).into_response())
}

pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
) -> Result<Response, Problem> {
    let found = find(&deps, &account, &id).await?;
    Ok(answer(StatusCode::OK, found.version, view(found, deps.clock.now())))
}

async fn find(deps: &Deps, account: &AccountId, id: &DestinationId) -> Result<Destination, Problem> {
    deps.destinations.find_destination(account, id).await?.ok_or_else(DestinationId::not_found)
}

pub async fn change(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    if_match: IfMatch,
    patch: MergePatch,
) -> Result<Response, Problem> {
    for _ in 0..TRIES {
        let before = find(&deps, &account, &id).await?;
        if_match.check(before.version)?;
        let settings = patch.apply(&before.settings)?;
        if settings.url != before.settings.url {
            check_address(&deps, &settings.url).await?;
        }
        if settings == before.settings {
            return Ok(answer(StatusCode::OK, before.version, view(before, deps.clock.now())));
        }
        let after = before.changed(settings, deps.clock.now());
        match deps.destinations.update_destination(&before, &after).await? {
            UpdatedDestination::Updated => {
                return Ok(answer(StatusCode::OK, after.version, view(after, deps.clock.now())));
            }
            UpdatedDestination::NameTaken => return Err(name_taken()),
            UpdatedDestination::Changed if if_match.is_given() => return Err(changed()),
            UpdatedDestination::Changed => {}
        }
    }
    Err(Problem::new(Code::Unavailable, "others kept changing it at the same time; try again"))
}

/// The query of a deletion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// Whether the subscriptions that send to it are deleted as well.
    #[serde(default)]
    cascade: bool,
}

pub async fn delete(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    deletion: Result<Query<Deletion>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Deletion { cascade }) =
        deletion.map_err(|_| Problem::parameter("cascade", "must be `true` or `false`, and is the only parameter"))?;
    loop {
        match deps.destinations.delete_destination(&account, &id).await? {
            DeletedDestination::Deleted => return Ok(StatusCode::NO_CONTENT.into_response()),
            DeletedDestination::NotFound => return Err(DestinationId::not_found()),
            DeletedDestination::InUse => {}
        }
        let users = subscriptions::sending_to(&deps, &account, &id).await?;
        if !cascade {
            let users: Vec<_> = users.iter().map(ToString::to_string).collect();
            let detail = format!(
                "these subscriptions send to it; delete them first, or with it by `?cascade=true`: {}",
                users.join(", ")
            );
            return Err(Problem::new(Code::DestinationInUse, detail));
        }
        for user in users {
            deps.subscriptions.delete_subscription(&account, &user).await?;
        }
    }
}
