//! A receiver: its URL, its settings, its health, and how fast it may be called.

mod address;
pub mod custom_headers;
mod destination;
pub mod health;
pub mod pace;
mod url;

pub use self::address::{AddressPolicy, CidrError};
pub use self::custom_headers::{CustomHeaders, HeadersError};
pub use self::destination::{
    DEFAULT_OVERLAP_SECONDS, Destination, DestinationSecret, DestinationSettings, MAX_OVERLAP_SECONDS, MAX_SECRETS,
    RateLimit, RateLimitError, TimeoutError, TimeoutSeconds, TooManySecrets, fingerprint,
};
pub use self::health::{Admission, ChangedTo, DisabledReason, Drain, Failure, Health, HealthChange, HealthState};
pub use self::pace::{Block, Pace, Turn};
pub use self::url::{DeliveryPath, DestinationUrl, PathError, UrlError};
