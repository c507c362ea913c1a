//! How a destination is answered: its secrets as fingerprints, except the one that was just created.

use domain::attempt::SigningSecret;
use domain::destination::{Destination, DestinationSecret, DestinationSettings};
use domain::value::{DestinationId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::health::HealthFields;
use super::settings;
use crate::web::schemas;

/// Where requests go, and how.
#[derive(Serialize, ToSchema)]
#[schema(as = Destination)]
pub struct DestinationView {
    #[schema(value_type = schemas::DestinationId)]
    id: DestinationId,
    #[serde(flatten)]
    #[schema(value_type = settings::Destination)]
    settings: DestinationSettings,
    #[serde(flatten)]
    health: HealthFields,
    /// The valid ones, newest first.
    #[schema(min_items = 1, max_items = 3)]
    secrets: Vec<SecretView>,
    /// The current secret itself: only in the answer that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = schemas::SigningSecret)]
    secret: Option<Zeroizing<String>>,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    updated_at: Timestamp,
}

/// A secret of a destination, without revealing it.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
struct SecretView {
    /// Tells it from others.
    #[schema(pattern = "^[0-9a-f]{16}$", example = "5d3f0c9a81b2e476")]
    fingerprint: String,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
    /// When a replaced one ends; `null` for the current one.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
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
        health: HealthFields::of(&destination, now),
        id: destination.id,
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
