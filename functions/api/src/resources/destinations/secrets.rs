//! The secrets of a destination: given or generated, and rotated without a gap.
//!
//! Invariant: a secret is shown on creation and never again, and a wrong one is not repeated in the response (tests:
//! `a_secret_is_shown_on_creation_only_and_kept_sealed`, `a_given_secret_is_kept_and_a_wrong_one_is_not_repeated`,
//! `nothing_secret_is_in_a_log_an_error_a_list_or_the_table`).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use domain::attempt::SigningSecret;
use domain::destination::{DEFAULT_OVERLAP_SECONDS, DestinationSecret, MAX_OVERLAP_SECONDS, fingerprint};
use domain::value::{AccountId, DestinationId, Place, Timestamp};
use http::StatusCode;
use ports::{EntropyExt, PortResult, UpdatedDestination};
use serde_json::{Map, Value};

use super::{DestinationView, answer, find, settings, view_with_secret};
use crate::web::body::Json;
use crate::web::caller::SecretsKeeper;
use crate::web::conflict::{self, OTHERS_KEPT_CHANGING};
use crate::web::etag::{IfMatch, IfMatchHeader, changed};
use crate::web::named::Named;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, schemas};

/// Removes the secret from a body and returns it, if there is one. An error never repeats it.
pub fn take(body: &mut Map<String, Value>) -> Result<Option<SigningSecret>, Problem> {
    let wrong = |detail: String| Problem::at(Code::ValidationFailed, "/secret", detail);
    match body.remove("secret") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|error| wrong(format!("{error}"))),
        Some(_) => Err(wrong("must be a string or null".to_owned())),
    }
}

pub fn given_or_generated(deps: &Deps, given: Option<SigningSecret>) -> PortResult<SigningSecret> {
    match given {
        Some(given) => Ok(given),
        None => deps.entropy.bytes().map(SigningSecret::from_entropy),
    }
}

pub async fn seal(
    deps: &Deps,
    account: &AccountId,
    id: &DestinationId,
    secret: &SigningSecret,
    now: Timestamp,
) -> PortResult<DestinationSecret> {
    let sealed = deps.vault.seal(account, id, secret).await?;
    Ok(DestinationSecret { sealed, fingerprint: fingerprint(secret), created_at: now, expires_at: None })
}

/// Removes the overlap from a body and returns it.
fn overlap(body: &mut Map<String, Value>) -> Result<Duration, Problem> {
    let seconds = match body.remove("overlap_seconds") {
        None | Some(Value::Null) => Some(DEFAULT_OVERLAP_SECONDS),
        Some(value) => value.as_u64().filter(|seconds| *seconds <= MAX_OVERLAP_SECONDS),
    };
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let detail = format!("must be a whole number of seconds from 0 to {MAX_OVERLAP_SECONDS}");
        Problem::at(Code::ValidationFailed, "/overlap_seconds", detail)
    })
}

/// Rotate the secret of a destination
///
/// The new secret is used at once. The previous secrets are used as well, until the overlap ends or they expire.
#[utoipa::path(
    post,
    path = "/v1/destinations/{id}/secrets/rotate",
    operation_id = "rotate_secret",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path),
        IfMatchHeader),
    request_body = settings::Rotation,
    responses(
        (status = 200, description = "The destination, with its new secret, which is shown only this once.", body = DestinationView,
            headers(("etag" = String, description = "The version of the destination, for `If-Match`."))),
        (status = 409, description = "`too_many_secrets`: three secrets are valid, the most that are allowed; `detail` says until when."),
        (status = 412, description = "`precondition_failed`: the destination was changed since it was read; read it again.")
    )
)]
pub async fn rotate(
    SecretsKeeper(account): SecretsKeeper,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    if_match: IfMatch,
    Json(mut body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let given = take(&mut body)?;
    let overlap = overlap(&mut body)?;
    if let Some(unknown) = body.keys().next() {
        let detail = "is unknown; known are `secret` and `overlap_seconds`";
        let pointer = Place::of(unknown).pointer();
        return Err(Problem::at(Code::ValidationFailed, &pointer, detail));
    }
    let secret = given_or_generated(&deps, given)?;
    conflict::retry(OTHERS_KEPT_CHANGING, || async {
        let before = find(&deps, &account, &id).await?;
        if_match.check(before.version)?;
        let now = deps.clock.now();
        if before.live_secrets(now).next().is_some_and(|current| current.fingerprint == fingerprint(&secret)) {
            return Err(Problem::at(Code::ValidationFailed, "/secret", "is the current secret; give another one"));
        }
        let new = seal(&deps, &account, &id, &secret, now).await?;
        let too_many = |error: domain::destination::TooManySecrets| {
            Problem::new(Code::TooManySecrets, format!("{error}; wait until then, or rotate with `overlap_seconds` 0"))
        };
        let after = before.rotated(new, overlap, now).map_err(too_many)?;
        match deps.destinations.update_destination(&before, &after).await? {
            UpdatedDestination::Updated => {
                let version = after.version;
                Ok(Some(answer(StatusCode::OK, version, view_with_secret(after, &secret, now))))
            }
            UpdatedDestination::Changed if !if_match.is_given() => Ok(None),
            UpdatedDestination::Changed | UpdatedDestination::NameTaken => Err(changed()),
        }
    })
    .await
}
