//! The form that sends a destination its missed deliveries again.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Permission;
use domain::delivery::RecoverStatus;
use domain::value::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::markup::address::query;
use crate::markup::icons;
use crate::markup::moment::{in_field, utc};
use crate::markup::shell::Shell;
use crate::model::Destination;
use crate::model::destination::{at, path};
use crate::model::faults::Faults;
use crate::web::failure::Failure;
use crate::web::fields::{Fields, Form};
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::visitor::Visitor;

/// How far back to go: name, seconds and label.
const SPANS: [(&str, u64, &str); 3] =
    [("hour", 3_600, "The last hour"), ("day", 86_400, "The last 24 hours"), ("days", 259_200, "The last 3 days")];

/// Which deliveries to send again: status, title and description.
const STATUSES: [(RecoverStatus, &str, &str); 5] = [
    (RecoverStatus::Exhausted, "Exhausted", "Given up after the last attempt. Each gets one more."),
    (RecoverStatus::Parked, "Parked", "Kept while nothing was sent to the destination."),
    (RecoverStatus::Retrying, "Retrying", "Failed, and waiting for the next attempt, which is made now."),
    (RecoverStatus::Pending, "Pending", "Due for a long time, and never attempted."),
    (RecoverStatus::Cancelled, "Cancelled", "Cancelled by somebody."),
];

#[derive(Template)]
#[template(path = "destinations/recover.html")]
struct Ask {
    shell: Shell,
    destination: Destination,
    span: String,
    since: String,
    statuses: Vec<String>,
    faults: Faults,
}

#[derive(Deserialize)]
struct Begun {
    id: String,
}

impl Ask {
    async fn new(visitor: &Visitor, id: &str) -> Result<Self, Failure> {
        let destination: Destination = visitor.api.get(&at(id)).await?;
        let shell = visitor.shell("Destinations", format!("Recover {}", destination.name));
        let usual = RecoverStatus::USUAL.map(|status| status.as_str().to_owned());
        let (span, since) = ("day".to_owned(), String::new());
        Ok(Self { shell, destination, span, since, statuses: usual.into(), faults: Faults::default() })
    }

    fn is_chosen(&self, status: &RecoverStatus) -> bool {
        self.statuses.iter().any(|chosen| chosen == status.as_str())
    }
}

pub async fn ask(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    render::page(&Ask::new(&visitor, &id).await?)
}

pub async fn recover(
    State(portal): State<Arc<Portal>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form,
) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let statuses: Vec<_> = form.all("status").map(str::to_owned).collect();
    let wanted = json!({ "since": since(&form, portal.clock.now()), "statuses": statuses });
    let begun = visitor.api.post(&format!("{}/recover", at(&id)), &wanted).await;
    let problem = match begun {
        Ok(answer) => {
            let Begun { id: job } = answer.read()?;
            let done = query([("done", "recovering"), ("job", job.as_str())]);
            return Ok(render::see(&format!("{}{done}", path(&id))));
        }
        Err(failure) => failure.problem()?,
    };
    let mut page = Ask::new(&visitor, &id).await?;
    page.faults = Faults::of(&problem, &["since", "statuses"]);
    page.span = form.get("span").to_owned();
    page.since = in_field(form.get("since"));
    page.statuses = statuses;
    render::page_with(problem.status(), &page)
}

/// The value of `since` for the API.
fn since(form: &Fields, now: Timestamp) -> String {
    let chosen = SPANS.iter().find(|(name, ..)| *name == form.get("span"));
    match chosen {
        Some((_, seconds, _)) => {
            let back = Duration::from_secs(*seconds).as_millis();
            let back = u64::try_from(back).unwrap_or(u64::MAX);
            Timestamp::from_unix_ms(now.unix_ms().saturating_sub(back)).to_string()
        }
        None => utc(form.get("since")),
    }
}
