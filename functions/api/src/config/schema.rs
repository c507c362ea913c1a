//! The document's form for the OpenAPI document. It describes and checks nothing: what is accepted is decided where
//! [`shared::domain::plan::Configuration`] is read.

#![expect(dead_code, reason = "they describe what the domain reads and writes, and are never values")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use crate::schemas;

/// All destinations and subscriptions of an account, by name.
#[derive(ToSchema)]
pub struct Configuration {
    destinations: Vec<ConfiguredDestination>,
    subscriptions: Vec<ConfiguredSubscription>,
}

/// A destination: the fields that its owner decides, without its secrets.
#[derive(ToSchema)]
struct ConfiguredDestination {
    /// Unique in the document.
    #[schema(value_type = schemas::Label)]
    name: String,
    #[schema(value_type = schemas::DestinationUrl)]
    url: String,
    /// At most 1,024 characters.
    #[schema(max_length = 1024, required = false)]
    description: String,
    /// At most 10, none that HTTP or the signature owns.
    #[schema(required = false)]
    headers: BTreeMap<String, String>,
    /// `true` if left out.
    #[schema(required = false)]
    enabled: bool,
    /// How long one attempt may take; 15 if left out.
    #[schema(minimum = 1, maximum = 30, required = false)]
    timeout_seconds: u8,
    /// Deliveries a second at most; `null` for no limit.
    #[schema(minimum = 1, maximum = 1000)]
    rate_limit: Option<u16>,
}

/// A subscription, with the name of its destination.
#[derive(ToSchema)]
struct ConfiguredSubscription {
    /// Unique in the document.
    #[schema(value_type = schemas::Label)]
    name: String,
    /// The name of a destination of the document.
    #[schema(value_type = schemas::Label)]
    destination: String,
    #[schema(value_type = Vec<schemas::EventTypeFilter>, min_items = 1, max_items = 20)]
    event_types: Vec<String>,
    #[schema(value_type = schemas::Scope)]
    scope: String,
    /// An EventBridge event pattern over the event's `data`.
    #[schema(value_type = Option<Object>)]
    condition: Option<String>,
    /// `broke` or `recovered`.
    #[schema(pattern = "^(broke|recovered)$")]
    transition: Option<String>,
    #[schema(value_type = Option<schemas::DeliveryPath>)]
    path: Option<String>,
    /// `true` if left out.
    #[schema(required = false)]
    enabled: bool,
}
