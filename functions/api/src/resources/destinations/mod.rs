//! Destinations: where requests are sent. A secret is shown only in the answer that creates it.

pub mod deletion;
mod health;
pub mod pausing;
pub mod secrets;
pub mod settings;
pub mod stats;
pub mod test_answer;
pub mod test_payload;
mod view;

use std::mem;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::attempt::SigningSecret;
use domain::destination::{CustomHeaders, Destination, DestinationSettings, DestinationUrl, Health, UrlError};
use domain::value::{AccountId, DestinationId};
use http::{StatusCode, header};
use ports::{CreatedDestination, EntropyExt, UpdatedDestination};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

pub use self::view::{DestinationView, view, view_with_secret};
use crate::web::body::{Json, MergePatch, Patched, read as read_json};
use crate::web::caller::{Configurer, Reader};
use crate::web::conflict::{self, OTHERS_KEPT_CHANGING};
use crate::web::etag::{IfMatch, IfMatchHeader, etag};
use crate::web::filters::Filters;
use crate::web::named::{Kind, Named};
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, done, schemas};

/// How many destinations are read at a time: a row has 20 KiB at most, and a health that is read with it.
const READ: usize = 35;

impl Patched for DestinationSettings {
    /// The names of headers are kept in lower case.
    fn canonical(patch: &mut Map<String, Value>) -> Result<(), Problem> {
        let Some(Value::Object(headers)) = patch.get_mut("headers") else { return Ok(()) };
        let named = CustomHeaders::canonical(mem::take(headers));
        let named = named.map_err(|error| Problem::at(Code::ValidationFailed, "/headers", error.to_string()))?;
        *headers = named.into_iter().collect();
        Ok(())
    }
}

/// A destination as an answer, with its version as `etag`.
fn answer(status: StatusCode, version: u64, view: DestinationView) -> Response {
    (status, [(header::ETAG, etag(version))], Answer(view)).into_response()
}

/// Create a destination
///
/// Its URL must be `https` and lead to no private address. A host that does not resolve now is accepted; every connection is
/// checked again.
#[utoipa::path(
    post,
    path = "/v1/destinations",
    operation_id = "create_destination",
    tag = "destinations",
    request_body = settings::NewDestination,
    responses(
        (status = 201, description = "The destination, with its secret, which is shown this once.", body = DestinationView,
            headers(("etag" = String, description = "The version of what is answered, for `If-Match`."))),
        (status = 409, description = "`name_taken`: another destination has this name; `limit_reached`: the account has as many as \
            it may."),
        (status = 422, description = "`validation_failed`: a field is missing, unknown or wrong; `blocked_address`: the URL leads to \
            an address that is never called; `errors` points at it.")
    )
)]
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

/// Creates a destination whose address was checked. Returns it with its secret, which cannot be read again.
pub async fn add(
    deps: &Deps,
    account: AccountId,
    settings: DestinationSettings,
    given: Option<SigningSecret>,
) -> Result<(Destination, SigningSecret), Problem> {
    let id = DestinationId::made_at(deps.clock.now(), deps.entropy.bytes()?);
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
    let health = Health::default();
    Ok(Destination { id, account, settings, secrets, created_at: now, updated_at: now, version: 1, health })
}

fn name_taken() -> Problem {
    Problem::at(Code::NameTaken, "/name", "another destination of the account has this name; choose another")
}

fn limit_reached(deps: &Deps) -> Problem {
    let detail =
        format!("the account has {} destinations, the most it may; delete one first", deps.limits.destinations);
    Problem::new(Code::LimitReached, detail)
}

/// Refuses a URL that would be blocked when it is called. A host that does not resolve is accepted, because it may do
/// so later.
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

/// What the list of destinations is filtered by.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DestinationFilters {
    /// `desc`, the newest first, if left out.
    order: Option<choices::Order>,
    /// Those with this in their name, in capitals or not.
    name_contains: Option<String>,
}

/// List destinations
///
/// Newest first, without their secrets. One page looks at no more than 1,000 destinations: where
/// `name_contains` leaves few of them, or they are very long, it may be short, or empty, and yet have a next one.
#[utoipa::path(
    get,
    path = "/v1/destinations",
    operation_id = "list_destinations",
    tag = "destinations",
    params(PageParameters, DestinationFilters),
    responses((status = 200, description = "A page of destinations.", body = Page<DestinationView>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(DestinationFilters { order, name_contains: part }): Filters<DestinationFilters>,
) -> Result<Response, Problem> {
    let (list, account, now) = (&deps.destinations, &account, deps.clock.now());
    let step = if part.is_some() { READ } else { READ.min(page.to_read()) };
    let order = choices::Order::wanted(order);
    let read = |after: Option<DestinationId>| async move {
        list.list_destinations(account, order, after.as_ref(), step).await
    };
    let named = |found: &Destination| part.as_ref().is_none_or(|part| found.settings.name.has(part));
    let keep = |found: Destination| named(&found).then(|| view(found, now));
    let found = page.sift(step, read, |found| found.id.clone(), keep).await?;
    Ok(Answer(found).into_response())
}

/// Read a destination
///
/// Its secrets are shown by their fingerprints.
#[utoipa::path(
    get,
    path = "/v1/destinations/{id}",
    operation_id = "read_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path)),
    responses((status = 200, description = "The destination.", body = DestinationView,
        headers(("etag" = String, description = "The version of what is answered, for `If-Match`."))))
)]
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

/// Change a destination
///
/// A merge patch (RFC 7396): what it names is replaced, what it names as `null` falls back to its default, the rest stays.
#[utoipa::path(
    patch,
    path = "/v1/destinations/{id}",
    operation_id = "change_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path),
        IfMatchHeader),
    request_body(content(
        (settings::DestinationChanges = "application/merge-patch+json"),
        (settings::DestinationChanges = "application/json")
    )),
    responses(
        (status = 200, description = "The destination as it is now.", body = DestinationView,
            headers(("etag" = String, description = "The version of what is answered, for `If-Match`."))),
        (status = 409, description = "`name_taken`: another destination has this name."),
        (status = 412, description = "`precondition_failed`: it was changed since it was read; read it again."),
        (status = 422, description = "`validation_failed`: a field is unknown or wrong; `blocked_address`: the URL leads to an \
            address that is never called; `errors` points at it.")
    )
)]
pub async fn change(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    if_match: IfMatch,
    patch: MergePatch,
) -> Result<Response, Problem> {
    conflict::retry(OTHERS_KEPT_CHANGING, || async {
        let before = find(&deps, &account, &id).await?;
        if_match.check(before.version)?;
        let settings = patch.apply(&before.settings)?;
        if settings.url != before.settings.url {
            check_address(&deps, &settings.url).await?;
        }
        if settings == before.settings {
            let same = answer(StatusCode::OK, before.version, view(before, deps.clock.now()));
            return Ok(Some(done::nothing(same)));
        }
        let after = before.changed(settings, deps.clock.now());
        match deps.destinations.update_destination(&before, &after).await? {
            UpdatedDestination::Updated => {
                Ok(Some(answer(StatusCode::OK, after.version, view(after, deps.clock.now()))))
            }
            UpdatedDestination::NameTaken => Err(name_taken()),
            // Somebody else changed it, which `If-Match` detects on the next reading, or its health changed.
            UpdatedDestination::Changed => Ok(None),
        }
    })
    .await
}
