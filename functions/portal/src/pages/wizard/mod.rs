//! The wizard that configures webhooks. Its steps ask which events at which place (what), under which condition (when)
//! and to which destination (where). Then it creates everything at once, shows the secret, and tests the receiver. All
//! choices travel in the fields of its forms (`draft`), so forward, back and reload are plain requests.
//!
//! Invariant: the wizard creates no subscription that can never match an event (tests:
//! `what_never_happens_at_the_place_is_told_before_anything_is_created`).
//!
//! Invariant: the keyboard alone completes the wizard (tests: `the_keyboard_alone_completes_the_wizard`).

mod conditions;
mod draft;
mod places;
mod snippets;
mod test;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use domain::access::Permission;
use domain::event::EventType;
use domain::value::DestinationId;
use http::StatusCode;
use serde::Deserialize;

use self::conditions::{Verdict, judge};
use self::draft::{CameFrom, Draft, Errors, Step};
use self::places::{Places, Tree};
use self::snippets::{SNIPPETS, Snippet};
use crate::markup::address::query;
use crate::markup::shell::{SENDER, Shell};
use crate::markup::{html, icons};
use crate::model::when::When;
use crate::model::{Destination, Listed, destination};
use crate::web::failure::Failure;
use crate::web::fields::{Fields, Form, Query};
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::security::FromElsewhere;
use crate::web::visitor::Visitor;

pub fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/configure", get(show).post(create)).route("/configure/test", get(test::show).post(test::run))
}

/// What a link from another site may fill in: what happens, and where. The visitor chooses where it is sent.
const FILLED_FROM_ELSEWHERE: [&str; 4] = ["step", "scope", "place", "type"];

/// The number of destinations that are offered at once.
const DESTINATIONS: usize = 10;

#[derive(Template)]
#[template(path = "wizard/what.html")]
struct What<'a> {
    shell: Shell,
    draft: &'a Draft,
    errors: &'a Errors,
    places: Places,
    types: Vec<String>,
}

#[derive(Template)]
#[template(path = "wizard/when.html")]
struct WhenPage<'a> {
    shell: Shell,
    draft: &'a Draft,
    errors: &'a Errors,
    /// Which samples the condition lets through. It is empty while the condition is invalid.
    verdicts: Vec<Verdict>,
}

#[derive(Template)]
#[template(path = "wizard/where.html")]
struct Where<'a> {
    shell: Shell,
    draft: &'a Draft,
    errors: &'a Errors,
    offered: Offered,
}

/// The destinations that are offered.
struct Offered {
    destinations: Vec<Destination>,
    /// Whether the search found none on this page.
    is_none_found: bool,
    next_cursor: Option<String>,
}

impl Where<'_> {
    /// Whether there are so many that a search field helps.
    fn are_many(&self) -> bool {
        self.offered.next_cursor.is_some()
            || ["cursor", "find_destination"].iter().any(|field| self.draft.fields.is_there(field))
    }
}

#[derive(Template)]
#[template(path = "wizard/secret.html")]
struct SecretPage<'a> {
    shell: Shell,
    destination: &'a str,
    secret: &'a str,
    next: String,
    snippets: &'static [Snippet],
}

/// Sets the position of each page among the five steps. Up to these pages no step is left out.
macro_rules! steps {
    ($($page:ident: $step:literal),* $(,)?) => {
        $(impl $page<'_> {
            fn step(&self) -> usize {
                $step
            }

            fn is_left_out(&self, _: usize) -> bool {
                false
            }
        })*
    };
}

steps!(What: 0, WhenPage: 1, Where: 2, SecretPage: 3);

impl What<'_> {
    fn offered(&self, operational: bool) -> impl Iterator<Item = EventType> {
        EventType::all().filter(move |event_type| event_type.is_own() == operational)
    }

    fn is_chosen(&self, name: &str) -> bool {
        self.types.iter().any(|chosen| chosen == name)
    }
}

/// Shows a step, or an earlier one that has errors.
async fn show(visitor: Visitor, elsewhere: FromElsewhere, Query(mut fields): Query) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    if let Some(sender) = fields.some(SENDER) {
        visitor.must_be(sender)?;
    }
    if elsewhere.0 {
        fields.keep(&FILLED_FROM_ELSEWHERE);
    }
    let wanted = Step::of(&fields);
    let draft = Draft::new(fields);
    let refused = draft.refused();
    if !refused.are_none() {
        return show_step(&visitor, StatusCode::UNPROCESSABLE_ENTITY, wanted, &draft, &refused).await;
    }
    for step in [Step::What, Step::When].into_iter().filter(|step| *step < wanted) {
        let errors = draft.errors(step);
        if !errors.are_none() {
            return show_step(&visitor, StatusCode::UNPROCESSABLE_ENTITY, step, &draft, &errors).await;
        }
    }
    // A pattern is checked only on request, and only if something was typed.
    let asked = draft.fields.get("check") == "1" && draft.fields.some("pattern").is_some();
    let errors = match wanted {
        Step::What => draft.misplaced(),
        Step::When if asked => draft.errors(Step::When),
        _ => Errors::default(),
    };
    show_step(&visitor, StatusCode::OK, wanted, &draft, &errors).await
}

async fn show_step(
    visitor: &Visitor,
    status: StatusCode,
    step: Step,
    draft: &Draft,
    errors: &Errors,
) -> Result<Response, Failure> {
    let shell = visitor.shell("Configure", "Configure webhooks");
    match step {
        Step::What => {
            let tree: Tree = visitor.api.get("/v1/scopes").await?;
            let chosen = if draft.is_elsewhere() { "" } else { draft.scope() };
            let places = Places::of(tree, chosen, draft.fields.get("find"));
            render::page_with(status, &What { shell, draft, errors, places, types: draft.types() })
        }
        Step::When => {
            let verdicts = draft.wanted().map(|wanted| judge(&wanted, &draft.accepted_types())).unwrap_or_default();
            render::page_with(status, &WhenPage { shell, draft, errors, verdicts })
        }
        Step::Where => {
            let offered = offered_destinations(visitor, &draft.fields).await?;
            render::page_with(status, &Where { shell, draft, errors, offered })
        }
    }
}

/// A page of the account's destinations, and the chosen one if it is not on that page.
async fn offered_destinations(visitor: &Visitor, fields: &Fields) -> Result<Offered, Failure> {
    let limit = DESTINATIONS.to_string();
    let listed = async |cursor: Option<&str>| {
        let part = fields.some("find_destination").map(|part| ("name_contains", part));
        let pairs = [("limit", limit.as_str())].into_iter().chain(part).chain(cursor.map(|cursor| ("cursor", cursor)));
        visitor.api.get::<Listed<Destination>>(&format!("/v1/destinations{}", query(pairs))).await
    };
    let Listed { mut data, next_cursor } = match (fields.some("cursor"), listed(fields.some("cursor")).await) {
        (_, Ok(found)) => found,
        (None, Err(failure)) => return Err(failure),
        // The cursor belongs to an earlier search, so this one begins at its first page.
        (Some(_), Err(failure)) => {
            failure.problem()?;
            listed(None).await?
        }
    };
    let is_none_found = data.is_empty();
    let chosen = fields.some("to").filter(|to| to.starts_with(DestinationId::PREFIX));
    if let Some(id) = chosen.filter(|id| data.iter().all(|destination| destination.id != **id)) {
        match visitor.api.get(&destination::at(id)).await {
            Ok(destination) => data.insert(0, destination),
            // It was deleted meanwhile. The API refuses it when everything is created.
            Err(failure) => drop(failure.problem()?),
        }
    }
    Ok(Offered { destinations: data, is_none_found, next_cursor })
}

/// The API's answer after everything was created.
#[derive(Deserialize)]
struct Setup {
    steps: (SetUpDestination, serde::de::IgnoredAny, serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct SetUpDestination {
    id: String,
    name: String,
    secret: Option<String>,
}

/// Creates everything, or shows the step that has errors.
async fn create(visitor: Visitor, Form(fields): Form) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let draft = Draft::new(fields);
    // If the refused step has its own address, reloading and going back keep what was typed.
    let refuse = async |step, errors: Errors| match draft.address(step, &errors) {
        Some(address) => Ok(render::see(&address)),
        None => show_step(&visitor, StatusCode::UNPROCESSABLE_ENTITY, step, &draft, &errors).await,
    };
    if Step::Where.is_searched(&draft.fields) {
        return match draft.address(Step::Where, &Errors::default()) {
            Some(address) => Ok(render::see(&address)),
            None => show_step(&visitor, StatusCode::OK, Step::Where, &draft, &Errors::default()).await,
        };
    }
    for step in [Step::What, Step::When, Step::Where] {
        let errors = draft.errors(step);
        if !errors.are_none() {
            return refuse(step, errors).await;
        }
    }
    let Ok(setup) = draft.setup() else { return refuse(Step::When, draft.errors(Step::When)).await };
    let answer = match visitor.api.post("/v1/setups", &setup).await {
        Ok(answer) => answer,
        Err(failure) => {
            let (step, errors) = draft::refused(&failure.problem()?);
            return refuse(step, errors).await;
        }
    };
    let Setup { steps: (destination, _, _) } = answer.read()?;
    match destination.secret {
        None => Ok(render::see(&draft.test_path(&destination.id, CameFrom::TheChoice))),
        Some(secret) => {
            let next = draft.test_path(&destination.id, CameFrom::TheSecret);
            let shell = visitor.shell("Configure", "Your signing secret");
            let (destination, secret) = (destination.name.as_str(), secret.as_str());
            render::page(&SecretPage { shell, destination, secret, next, snippets: SNIPPETS })
        }
    }
}
