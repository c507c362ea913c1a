//! The page of one event: the deliveries that it owes, or why it matched nothing; its body; and the action to replay
//! it.

use std::time::Duration;

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use domain::value::Timestamp;
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::markup::address::query;
use crate::markup::shell::Shell;
use crate::markup::shown::Excerpt;
use crate::markup::{html, icons, shown};
use crate::model::event::{at, body_file};
use crate::model::places::Places;
use crate::web::failure::Failure;
use crate::web::fields::Query;
use crate::web::render;
use crate::web::visitor::Visitor;

/// The number of owed deliveries that are shown.
const OWED: usize = 25;
/// The greatest size of the body on the page, in bytes after escaping.
const BODY: usize = 12 * 1024;

#[derive(Deserialize)]
struct Event {
    id: String,
    event_type: String,
    scope: String,
    occurred_at: Timestamp,
    sealed_at: Timestamp,
    body: Box<RawValue>,
    /// Why it owes nothing.
    unmatched: Option<String>,
    nearest_subscriptions: Vec<Near>,
    owed_count: usize,
    owed: Vec<Owed>,
}

#[derive(Deserialize)]
struct Owed {
    id: String,
    destination_id: String,
    destination_name: Option<String>,
    path: Option<String>,
    status: String,
    due_at: Option<Timestamp>,
    attempt_count: u64,
}

/// A subscription that nearly matched.
#[derive(Deserialize)]
struct Near {
    subscription_id: String,
    name: String,
    reason: Option<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    detail: String,
}

#[derive(Template)]
#[template(path = "events/one.html")]
struct One {
    shell: Shell,
    event: Event,
    places: Places,
    body: Excerpt,
}

impl One {
    /// The address of the wizard with this event's scope and type filled in.
    fn wizard(&self) -> String {
        let Event { scope, event_type, .. } = &self.event;
        format!("/configure{}", query([("scope", scope.as_str()), ("type", event_type)]))
    }

    /// The address of the list of all deliveries owed by events of the same millisecond.
    fn all_owed(&self) -> String {
        let since = self.event.occurred_at;
        let (since, until) = (since.to_string(), since.plus(Duration::from_millis(1)).to_string());
        format!("/ledger/deliveries{}", query([("since", since.as_str()), ("until", &until)]))
    }

    /// Why it owes nothing, as recorded when it was matched.
    fn why(&self) -> &'static str {
        match self.event.unmatched.as_deref() {
            Some("conditions_not_met") => {
                "When it arrived, subscriptions covered its type and place, but it did not meet their conditions."
            }
            _ => "When it arrived, no subscription covered its type and place.",
        }
    }

    fn status(&self) -> &'static str {
        if self.event.owed_count > 0 { "matched" } else { "unmatched" }
    }
}

pub async fn show(visitor: Visitor, Path(id): Path<String>, Query(query): Query) -> Result<Response, Failure> {
    let mut event: Event = visitor.api.get(&at(&id)).await?;
    event.owed.truncate(OWED);
    let shell = visitor.shell("Events", "Event").after(done(query.get("done"), &event));
    let body = Excerpt::of(&html::pretty(event.body.get()), BODY);
    let places = Places::find(&visitor.api, std::iter::once(event.scope.as_str())).await?;
    render::page(&One { shell, event, places, body })
}

/// The notice after a replay, if it is true of the event.
fn done(word: &str, event: &Event) -> Option<&'static str> {
    match (word, event.owed_count) {
        ("nothing_new", _) => Some("Matched again. Today's subscriptions ask for no new deliveries."),
        ("replayed", 1..) => Some("Matched again. The new deliveries are on their way."),
        ("replayed_in_part", 1..) => {
            Some("Some of the new deliveries are on their way. Replay it again to send the others.")
        }
        _ => None,
    }
}

/// Downloads the body, byte for byte.
pub async fn body(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let event: Event = visitor.api.get(&at(&id)).await?;
    let mut response = event.body.get().to_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let disposition = format!("attachment; filename=\"{}\"", body_file(&event.id));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

pub async fn replay(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    struct Replayed {
        new_count: u64,
        left_count: u64,
    }
    let answer = visitor.api.act(&format!("{}/replay", at(&id))).await?;
    let done = match answer.read::<Replayed>()? {
        Replayed { left_count: 1.., .. } => "replayed_in_part",
        Replayed { new_count: 1.., .. } => "replayed",
        _ => "nothing_new",
    };
    Ok(render::see(&format!("/events/{id}?done={done}")))
}
