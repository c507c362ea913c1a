//! The request of a delivery, built by the domain as for a real attempt: with the URL and the headers that its
//! destination has now. Timestamp and signature differ for each attempt and are not stored, so placeholders are shown.

use std::borrow::Cow;

use domain::delivery::request::sign;
use domain::delivery::{Delivery as Owed, SignedRequest};
use domain::destination::DestinationSettings;
use domain::value::{AccountId, Timestamp};
use serde_json::json;

use super::curl::{self, Body};
use super::delivery::Delivery;
use crate::markup::html;
use crate::markup::shown::{Excerpt, escaped_bytes};
use crate::model::Destination;
use crate::model::event::body_file;
use crate::web::failure::Failure;

/// The greatest size of the body on the page, and of a command that contains the body, in bytes after escaping.
const BODY: usize = 8 * 1024;
const COMMAND: usize = 8 * 1024;
/// The headers that differ for each attempt, with their placeholders.
const PLACEHOLDERS: [(&str, &str); 3] = [
    ("webhook-timestamp", "PLACEHOLDER-seconds-since-1970"),
    ("webhook-signature", "PLACEHOLDER-not-signed"),
    ("traceparent", "PLACEHOLDER-a-span-of-this-attempt"),
];

pub struct Request {
    /// `None` if the destination was deleted.
    pub target: Option<Target>,
    /// The body in indented lines, or `None` if the event has expired.
    pub body: Option<Excerpt>,
}

pub struct Target {
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// The curl command, or `None` without a body.
    pub command: Option<String>,
    /// The file from which the command reads the body, if the body is too long for the command.
    pub file: Option<String>,
}

impl Request {
    pub fn new(
        account: &AccountId,
        delivery: &Delivery,
        destination: Option<&Destination>,
        body: Option<&str>,
    ) -> Result<Self, Failure> {
        let target = destination.map(|destination| target(account, delivery, destination, body)).transpose()?;
        Ok(Self { target, body: body.map(|text| Excerpt::of(&html::pretty(text), BODY)) })
    }

    pub fn has_command(&self) -> bool {
        self.target.as_ref().is_some_and(|target| target.command.is_some())
    }
}

fn target(
    account: &AccountId,
    delivery: &Delivery,
    destination: &Destination,
    body: Option<&str>,
) -> Result<Target, Failure> {
    let Destination { name, url, headers, .. } = destination;
    let settings: DestinationSettings =
        serde_json::from_value(json!({ "name": name, "url": url, "headers": headers })).map_err(Failure::Unreadable)?;
    let owed = Owed {
        id: delivery.id.clone(),
        account: account.clone(),
        event: delivery.event_id.clone(),
        event_type: delivery.event_type,
        scope: delivery.scope.clone(),
        destination: delivery.destination_id.clone(),
        path: delivery.path.clone(),
        traceparent: delivery.traceparent,
    };
    let attempt = delivery.attempt_count.max(1);
    let SignedRequest { url, headers, .. } = sign(&owed, &settings, "", &[], attempt, Timestamp::from_unix_ms(0));
    let (url, headers) = (url.to_string(), headers.into_iter().map(with_placeholder).collect::<Vec<_>>());
    let inline = body.map(|text| curl::command(&url, &headers, Body::Text(text)));
    let (command, file) = match inline {
        Some(command) if escaped_bytes(&command) > COMMAND => {
            let file = body_file(delivery.event_id.as_str());
            (Some(curl::command(&url, &headers, Body::File(&file))), Some(file))
        }
        inline => (inline, None),
    };
    Ok(Target { url, headers, command, file })
}

fn with_placeholder((name, value): (Cow<'static, str>, String)) -> (String, String) {
    let stands = PLACEHOLDERS.into_iter().find(|(replaced, _)| *replaced == name);
    (name.into_owned(), stands.map_or(value, |(_, placeholder)| placeholder.to_owned()))
}
