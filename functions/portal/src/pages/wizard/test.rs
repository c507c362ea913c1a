//! The last step of the wizard, and the page behind “Send test” of a destination. It sends a full payload, shows
//! request and answer, and proves the receiver.

use askama::Template;
use axum::response::Response;
use domain::access::Permission;
use domain::event::EventType;
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::draft::CameFrom;
use crate::markup::shell::Shell;
use crate::markup::{html, icons};
use crate::model::faults::Faults;
use crate::model::{Destination, destination};
use crate::web::failure::Failure;
use crate::web::fields::{Fields, Form, Query};
use crate::web::render;
use crate::web::security::FromElsewhere;
use crate::web::visitor::Visitor;

/// The greatest length of a shown answer, in characters.
const SHOWN: usize = 4_000;
/// The position of the secret among the steps.
const SECRET: usize = 3;

#[derive(Template)]
#[template(path = "wizard/test.html")]
struct TestPage<'a> {
    shell: Shell,
    fields: &'a Fields,
    destination: Destination,
    event_type: Option<EventType>,
    made: Option<Made>,
    faults: Faults,
}

/// The result of a test, as the API answers it.
#[derive(Deserialize)]
struct Made {
    verdict: String,
    detail: String,
    request: Request,
    response: Option<Answer>,
    duration_ms: u64,
    proven: Option<bool>,
    conclusion: Option<String>,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    passed: bool,
    detail: String,
    /// `None` if it was not sent.
    request: Option<IgnoredAny>,
    response: Option<Answer>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
    headers: Vec<Header>,
    body: String,
    /// The text that was signed.
    signed_text: String,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<Header>,
    body: Option<String>,
    truncated: bool,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

impl Answer {
    fn as_text(&self) -> String {
        let headers = as_lines(&self.headers);
        match self.body.as_deref() {
            None => format!("{headers}\n(the body is not text)"),
            Some(body) => {
                let shown: String = body.chars().take(SHOWN).collect();
                let more = if self.truncated || shown.len() < body.len() { "\n… and more" } else { "" };
                format!("{headers}\n{shown}{more}")
            }
        }
    }
}

impl Request {
    /// The request as text. The body is byte for byte as it was sent.
    fn as_text(&self) -> String {
        format!("{} {}\n{}\n{}", self.method, self.url, as_lines(&self.headers), self.body)
    }
}

fn as_lines(headers: &[Header]) -> String {
    headers.iter().map(|header| format!("{}: {}\n", header.name, header.value)).collect()
}

impl Check {
    /// The forged request, in words.
    fn forged(&self) -> &str {
        match self.name.as_str() {
            "wrong_signature" => "a request that somebody else signed",
            "old_timestamp" => "a request that is six minutes old",
            "altered_body" => "a request that was altered on its way",
            other => other,
        }
    }

    /// The result. A request counts as accepted only if the status is 2xx, and as refused only if the check passed.
    fn title(&self) -> String {
        let forged = self.forged();
        let is_accepted = self.response.as_ref().is_some_and(|answer| (200..300).contains(&answer.status));
        match self.kind() {
            "open" => format!("Not tried: {forged}"),
            "pass" => format!("It refuses {forged}"),
            _ if is_accepted => format!("It accepts {forged}"),
            _ => format!("It does not refuse {forged}"),
        }
    }

    fn kind(&self) -> &'static str {
        match (self.request.is_some(), self.passed) {
            (false, _) => "open",
            (true, true) => "pass",
            (true, false) => "fail",
        }
    }
}

impl TestPage<'_> {
    fn step(&self) -> usize {
        4
    }

    /// The step that shows the secret is left out for an existing destination.
    fn is_left_out(&self, step: usize) -> bool {
        step == SECRET && CameFrom::of(self.fields) == Some(CameFrom::TheChoice)
    }

    fn is_wizard(&self) -> bool {
        CameFrom::of(self.fields).is_some()
    }

    /// The type and status of every sample, and whether it is the chosen one.
    fn samples(&self) -> impl Iterator<Item = (EventType, &'static str, bool)> {
        let status = self.fields.some("status");
        EventType::all().flat_map(move |event_type| {
            event_type.statuses().enumerate().map(move |(at, of)| {
                let is_status = status.map_or(at == 0, |status| status == of);
                (event_type, of, Some(event_type) == self.event_type && is_status)
            })
        })
    }
}

/// The type whose sample is sent. By default it is the last one, by name, of those that producers publish.
fn event_type(fields: &Fields) -> Option<EventType> {
    let published = || EventType::all().filter(|event_type| !event_type.is_own()).last();
    fields.get("type").parse().ok().or_else(published)
}

pub async fn show(visitor: Visitor, elsewhere: FromElsewhere, Query(mut fields): Query) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    if elsewhere.0 {
        fields.keep(&["destination", "wizard", "type", "status"]);
    }
    shown(&visitor, &fields, (StatusCode::OK, None, Faults::default())).await
}

/// Sends the test. A test is no delivery, so reloading the page may send it again.
pub async fn run(visitor: Visitor, Form(fields): Form) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let mut fields = fields;
    if let Some((event_type, status)) = fields.get("sample").split_once(' ') {
        let (event_type, status) = (event_type.to_owned(), status.to_owned());
        fields.set("type", &event_type);
        fields.set("status", &status);
    }
    let mut test = json!({ "event_type": fields.get("type"), "prove": fields.get("prove") == "1" });
    for name in ["status", "path"] {
        if let Some(value) = fields.some(name) {
            test[name] = json!(value);
        }
    }
    let path = format!("{}/test", destination::at(fields.get("destination")));
    match visitor.api.post(&path, &test).await {
        Ok(answer) => shown(&visitor, &fields, (StatusCode::OK, Some(answer.read()?), Faults::default())).await,
        Err(failure) => {
            let problem = failure.problem()?;
            if problem.status == 404 {
                return Err(Failure::Problem(problem));
            }
            let (status, faults) = (problem.status(), Faults::of(&problem, &["path"]));
            shown(&visitor, &fields, (status, None, faults)).await
        }
    }
}

async fn shown(
    visitor: &Visitor,
    fields: &Fields,
    (status, made, faults): (StatusCode, Option<Made>, Faults),
) -> Result<Response, Failure> {
    let destination = visitor.api.get(&destination::at(fields.get("destination"))).await?;
    let event_type = event_type(fields);
    let section = if CameFrom::of(fields).is_some() { "Configure" } else { "Destinations" };
    let shell = visitor.shell(section, "Test");
    render::page_with(status, &TestPage { shell, fields, destination, event_type, made, faults })
}
