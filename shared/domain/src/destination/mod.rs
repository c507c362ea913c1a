//! A receiver: its URL, its settings, its health, and how fast it may be called.

mod address;
pub mod custom_headers;
mod destination;
pub mod health;
mod health_change;
pub mod pace;
mod secrets;
mod settings;
mod special_networks;
#[cfg(test)]
mod special_registries;
mod typed_url;
mod url;

pub use self::address::{AddressPolicy, CidrError};
pub use self::custom_headers::{CustomHeaders, HeadersError};
pub use self::destination::Destination;
pub use self::health::{Admission, DisabledReason, Drain, Failure, Health, HealthState};
pub use self::health_change::{ChangedTo, HealthChange};
pub use self::pace::{Block, Lane, Pace, Reserved, Wish};
pub use self::secrets::{
    DEFAULT_OVERLAP_SECONDS, DestinationSecret, MAX_OVERLAP_SECONDS, MAX_SECRETS, TooManySecrets, fingerprint,
};
pub use self::settings::{DestinationSettings, RateLimit, RateLimitError, TimeoutError, TimeoutSeconds};
pub use self::url::{DeliveryPath, DestinationUrl, PathError, UrlError};
