//! The document's form for the OpenAPI document. It describes and checks nothing: what is accepted is decided where
//! [`shared::domain::plan::Configuration`] is read.

#![expect(dead_code, reason = "they describe what the domain reads and writes, and are never values")]

use utoipa::ToSchema;

use crate::{choices, schemas, settings};

/// All destinations and subscriptions of an account, by name.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    destinations: Vec<ConfiguredDestination>,
    subscriptions: Vec<ConfiguredSubscription>,
}

/// A destination: the fields that its owner decides, without its secrets.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfiguredDestination {
    /// Unique in the document.
    #[schema(value_type = schemas::Label)]
    name: String,
    #[schema(value_type = schemas::DestinationUrl)]
    url: String,
    #[schema(value_type = schemas::Description, required = false)]
    description: String,
    #[schema(value_type = settings::CustomHeaders, required = false)]
    headers: (),
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
#[serde(deny_unknown_fields)]
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
    condition: Option<settings::Condition>,
    transition: Option<choices::Transition>,
    #[schema(value_type = Option<schemas::DeliveryPath>)]
    path: Option<String>,
    /// `true` if left out.
    #[schema(required = false)]
    enabled: bool,
}
