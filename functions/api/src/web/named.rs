//! Ids in paths: `/v1/destinations/{id}`. A text that is not an id gets the same response as an id that does not exist.

use axum::extract::{FromRequestParts, Path};
use domain::event::EventType;
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, SubscriptionId};
use http::request::Parts;
use std::str::FromStr;

use crate::web::problem::{Code, Problem};

/// The id in a request's path.
pub struct Named<Id>(pub Id);

/// The kind of resource that an id names, as text for people.
pub trait Kind: FromStr {
    const KIND: &'static str;

    fn not_found() -> Problem {
        Problem::new(Code::NotFound, format!("there is no such {}", Self::KIND))
    }
}

impl Kind for AccountId {
    const KIND: &'static str = "account";
}

impl Kind for DestinationId {
    const KIND: &'static str = "destination";
}

impl Kind for EventType {
    const KIND: &'static str = "event type";
}

impl Kind for SubscriptionId {
    const KIND: &'static str = "subscription";
}

impl Kind for DeliveryId {
    const KIND: &'static str = "delivery, or it has not been attempted yet; see its event";
}

impl Kind for EventId {
    const KIND: &'static str = "event";
}

impl<S: Send + Sync, Id: Kind> FromRequestParts<S> for Named<Id> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(Id::not_found)
    }
}
