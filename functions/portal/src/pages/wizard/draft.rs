//! The choices made so far. They travel in the fields of the wizard's forms, forward and back, and in the addresses of its
//! steps, and are stored nowhere else.
//!
//! Invariant: back, forward and reload keep what was typed, even if it was refused (tests:
//! `back_and_forward_keep_what_was_typed`, `what_was_refused_has_an_address_that_keeps_it`).

use domain::event::{EventType, EventTypeFilter, Scope};
use domain::routing::Pattern;
use domain::value::{DestinationId, json, without_secrets};
use serde_json::{Value, json};

use super::conditions::Wanted;
use crate::markup::address::query;
use crate::markup::shell::SENDER;
use crate::model::when::When;
use crate::web::fields::Fields;
use crate::web::problem::Problem;

/// The query parameter with the reason in the address of a refused step: a field, and what is wrong with it.
const REFUSED: &str = "refused";
/// The longest address of a refused step, in bytes. API Gateway takes 10,240 for the request line and all headers.
const LONGEST_ADDRESS: usize = 5_000;

/// The choice “Somewhere else”, with which a place is typed.
const OTHER: &str = "other";

/// The steps at which the visitor chooses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    What,
    When,
    Where,
}

impl Step {
    /// The step to show; the first one by default. A form contains its own step, followed by the step that its button,
    /// or the Enter key, leads to.
    pub fn of(fields: &Fields) -> Self {
        let entered = fields.some("enter").filter(|_| !Step::What.is_searched(fields));
        match fields.all("step").last().or(entered).unwrap_or_default() {
            "when" => Step::When,
            "where" => Step::Where,
            _ => Step::What,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Step::What => "what",
            Step::When => "when",
            Step::Where => "where",
        }
    }

    /// The fields of this step.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Step::What => &["scope", "place", "find", "type"],
            Step::When => &["when", "pattern"],
            Step::Where => &["to", "find_destination", "cursor", "url", "destination_name", "path", "name"],
        }
    }

    /// Whether the Enter key was pressed after the search text was changed. Then it means to search, not to continue.
    pub fn is_searched(self, fields: &Fields) -> bool {
        let sought = match self {
            Step::What => "find",
            Step::Where => "find_destination",
            Step::When => return false,
        };
        fields.is_there("enter") && fields.get(sought) != fields.get("found")
    }
}

/// The errors of a step, each with the field beside which it is shown.
#[derive(Debug, Clone, Default)]
pub struct Errors(Vec<(&'static str, String)>);

impl Errors {
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, detail)| detail.as_str())
    }

    pub fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, field: &'static str, detail: impl ToString) {
        self.0.push((field, detail.to_string()));
    }

    /// The errors in the address of a refused step.
    fn told(fields: &Fields) -> Self {
        let told = fields.all(REFUSED).filter_map(|refused| refused.split_once(' '));
        let known = told.filter_map(|(field, detail)| Some((*BESIDE.iter().find(|known| **known == field)?, detail)));
        Self(known.map(|(field, detail)| (field, detail.to_owned())).collect())
    }
}

/// The fields beside which an error is shown; an empty name stands for the whole step.
const BESIDE: [&str; 10] = ["", "scope", "place", "type", "pattern", "to", "url", "destination_name", "path", "name"];

pub struct Draft {
    pub fields: Fields,
}

/// How the wizard came to its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameFrom {
    /// With a new destination, whose secret was shown.
    TheSecret,
    /// With an existing destination, so without a secret.
    TheChoice,
}

impl CameFrom {
    const ALL: [CameFrom; 2] = [CameFrom::TheSecret, CameFrom::TheChoice];

    fn name(self) -> &'static str {
        match self {
            CameFrom::TheSecret => "new",
            CameFrom::TheChoice => "1",
        }
    }

    /// Reads it from the field `wizard` of a page. Pages outside the wizard do not have this field.
    pub fn of(fields: &Fields) -> Option<Self> {
        Self::ALL.into_iter().find(|came| came.name() == fields.get("wizard"))
    }
}

impl Draft {
    /// An invalid place, for example of a mistyped link, counts as typed by hand, so that the visitor can correct it.
    pub fn new(mut fields: Fields) -> Self {
        let chosen = fields.get("scope").to_owned();
        if !chosen.is_empty() && chosen != OTHER && chosen.parse::<Scope>().is_err() {
            fields.set("scope", OTHER);
            fields.set("place", &chosen);
        }
        Self { fields }
    }

    /// The chosen scope: one of the tree, or one that was typed.
    pub fn scope(&self) -> &str {
        if self.is_elsewhere() { self.fields.get("place") } else { self.fields.get("scope") }
    }

    /// Whether the scope is one that was typed.
    pub fn is_elsewhere(&self) -> bool {
        self.fields.get("scope") == OTHER
    }

    /// The chosen event types. Until the visitor sends the form, these are all types that happen at the place.
    pub fn types(&self) -> Vec<String> {
        let chosen: Vec<_> = self.fields.all("type").map(str::to_owned).collect();
        let is_sent = ["step", "enter"].iter().any(|button| self.fields.is_there(button));
        if chosen.is_empty() && !is_sent { self.usual_types() } else { chosen }
    }

    fn usual_types(&self) -> Vec<String> {
        let Ok(scope) = self.scope().parse::<Scope>() else { return Vec::new() };
        let happening = EventType::all().filter(|event_type| !event_type.is_own() && event_type.happens_within(&scope));
        happening.map(|event_type| event_type.to_string()).collect()
    }

    /// The chosen types, with `*` resolved.
    pub fn accepted_types(&self) -> Vec<EventType> {
        let filters: Vec<EventTypeFilter> = self.types().into_iter().filter_map(|name| name.try_into().ok()).collect();
        EventType::all().filter(|event_type| filters.iter().any(|filter| filter.accepts(*event_type))).collect()
    }

    pub fn when(&self) -> When {
        When::of(self.fields.get("when"))
    }

    /// The chosen pattern, or why it is invalid.
    pub fn pattern(&self) -> Result<Option<Pattern>, String> {
        let condition = match self.when() {
            When::Pattern => Some(json::read(self.fields.get("pattern")).map_err(|error| format!("this {error}"))?),
            preset => preset.condition(),
        };
        condition.map(|condition| Pattern::parse(&condition)).transpose().map_err(|error| error.to_string())
    }

    /// The choices as a condition that can be applied to samples.
    pub fn wanted(&self) -> Result<Wanted, String> {
        Ok(Wanted { scope: self.scope().parse().ok(), pattern: self.pattern()?, transition: self.when().transition() })
    }

    /// The id of the chosen destination, if it exists already.
    pub fn destination(&self) -> Option<&str> {
        self.fields.some("to").filter(|to| to.starts_with(DestinationId::PREFIX))
    }

    /// The errors of a step, checked when the visitor leaves it. The API checks the rest when everything is created.
    pub fn errors(&self, step: Step) -> Errors {
        let mut errors = Errors::default();
        match step {
            Step::What => {
                let types = self.accepted_types();
                if self.types().is_empty() {
                    errors.add("type", "choose at least one kind of event");
                }
                match self.scope().parse::<Scope>() {
                    _ if self.is_elsewhere() && self.scope().is_empty() => errors.add("place", "type a place"),
                    _ if self.scope().is_empty() => errors.add("scope", "choose a place"),
                    Err(error) => errors.add("place", error),
                    Ok(scope) if !types.is_empty() && types.iter().all(|chosen| !chosen.happens_within(&scope)) => {
                        errors.add("type", "none of these happens at this place; choose others, or a wider place");
                    }
                    Ok(_) => {}
                }
            }
            Step::When => {
                if let Err(error) = self.pattern() {
                    errors.add("pattern", error);
                }
            }
            Step::Where => {
                if self.fields.get("to").is_empty() {
                    errors.add("to", "choose a destination, or a new one");
                }
            }
        }
        errors
    }

    /// What is wrong with a place that was typed or came with a link. It is shown at once, before the step is left.
    pub fn misplaced(&self) -> Errors {
        let mut errors = Errors::default();
        if let Some(error) =
            Some(self.scope()).filter(|scope| !scope.is_empty()).and_then(|scope| scope.parse::<Scope>().err())
        {
            errors.add("place", error);
        }
        errors
    }

    /// Why this step was refused, if its address says so.
    pub fn refused(&self) -> Errors {
        Errors::told(&self.fields)
    }

    /// The address of a step with everything that was typed and why it was refused, so that the page survives reloading and
    /// going back. `None` if it would be too long, or show a secret in the browser's history.
    pub fn address(&self, step: Step, errors: &Errors) -> Option<String> {
        let of_the_form = ["step", "enter", "found", "check", REFUSED];
        let told: Vec<String> = errors.0.iter().map(|(field, detail)| format!("{field} {detail}")).collect();
        let typed = self.fields.pairs().filter(|(name, _)| !of_the_form.contains(name));
        let pairs: Vec<_> = [("step", step.name())]
            .into_iter()
            .chain(typed)
            .chain(told.iter().map(|told| (REFUSED, told.as_str())))
            .collect();
        let is_secret = pairs.iter().any(|(_, value)| without_secrets(value) != **value);
        let address = format!("/configure{}", query(pairs));
        (!is_secret && address.len() <= LONGEST_ADDRESS).then_some(address)
    }

    /// The fields of the other steps, which the form of this step carries as hidden fields.
    pub fn carried(&self, step: Step) -> Vec<(&str, &str)> {
        let own = [&[SENDER, "step", "enter", "found", "check", REFUSED], step.fields()].concat();
        let pairs = self.fields.pairs().filter(|(name, _)| !own.contains(name));
        pairs.collect()
    }

    /// The body for `POST /v1/setups`.
    pub fn setup(&self) -> Result<Value, String> {
        let destination = match self.destination() {
            Some(id) => json!({ "id": id }),
            None => json!({ "url": self.fields.get("url"), "name": self.fields.get("destination_name") }),
        };
        let mut setup = json!({
            "destination": destination,
            "scope": self.scope(),
            "event_types": self.types(),
            "condition": self.pattern()?.as_ref().map(Pattern::as_value),
            "transition": self.when().transition(),
            "path": self.fields.some("path"),
        });
        if let Some(name) = self.fields.some("name") {
            setup["name"] = json!(name);
        }
        Ok(setup)
    }

    /// The address of the test page for a destination, which says whether its secret was shown on the way.
    pub fn test_path(&self, destination: &str, came: CameFrom) -> String {
        let first = self.accepted_types().first().map(ToString::to_string);
        let mut pairs = vec![("destination", destination), ("wizard", came.name())];
        pairs.extend(first.as_deref().map(|event_type| ("type", event_type)));
        pairs.extend(self.fields.some("path").map(|path| ("path", path)));
        format!("/configure/test{}", query(pairs))
    }
}

/// The step to show and its errors after the API refused a setup. An error that belongs to no field has an empty name.
pub fn refused(problem: &Problem) -> (Step, Errors) {
    const FIELDS: &[(&str, Step, &str)] = &[
        ("/scope", Step::What, "scope"),
        ("/event_types", Step::What, "type"),
        ("/condition", Step::When, "pattern"),
        ("/destination/url", Step::Where, "url"),
        ("/destination/name", Step::Where, "destination_name"),
        ("/destination/id", Step::Where, "to"),
        ("/path", Step::Where, "path"),
        ("/name", Step::Where, "name"),
    ];
    let mut errors = Errors::default();
    let mut first = Step::Where;
    for (pointer, step, field) in FIELDS {
        if let Some(detail) = problem.at(pointer) {
            errors.add(field, detail);
            first = first.min(*step);
        }
    }
    if errors.are_none() {
        errors.add("", &problem.detail);
    }
    (first, errors)
}
