//! What was chosen so far. It travels in the fields of the wizard's forms, from step to step and back, and nowhere else.

use domain::event::{EventType, EventTypeFilter, Scope};
use domain::routing::Pattern;
use domain::value::DestinationId;
use serde_json::{Value, json};

use super::conditions::Wanted;
use crate::markup::address::query;
use crate::markup::shell::SENDER;
use crate::model::when::When;
use crate::web::fields::Fields;
use crate::web::problem::Problem;

/// The steps at which something is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    What,
    When,
    Where,
}

impl Step {
    /// The step that a form asks for; the first one if it names none. A form names the one it is of, and then the one that its
    /// button leads to, or the Enter key.
    pub fn of(fields: &Fields) -> Self {
        let entered = fields.some("enter").filter(|_| !Step::What.is_searched(fields));
        match fields.all("step").last().or(entered).unwrap_or_default() {
            "when" => Step::When,
            "where" => Step::Where,
            _ => Step::What,
        }
    }

    /// The fields that are filled in at this step.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Step::What => &["scope", "place", "find", "type"],
            Step::When => &["when", "pattern"],
            Step::Where => &["to", "find_destination", "cursor", "url", "destination_name", "path", "name"],
        }
    }

    /// Whether the Enter key was pressed with something else to find than what is shown: then that is wanted, and not to go on.
    pub fn is_searched(self, fields: &Fields) -> bool {
        let sought = match self {
            Step::What => "find",
            Step::Where => "find_destination",
            Step::When => return false,
        };
        fields.is_there("enter") && fields.get(sought) != fields.get("found")
    }
}

/// What is wrong, by the field it stands by.
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
}

pub struct Draft {
    pub fields: Fields,
}

impl Draft {
    pub fn new(fields: Fields) -> Self {
        Self { fields }
    }

    /// The place that was chosen: one of the tree, or one that was typed.
    pub fn scope(&self) -> &str {
        match self.fields.get("scope") {
            "other" => self.fields.get("place"),
            chosen => chosen,
        }
    }

    /// The event types that were chosen; at first those that happen at the place.
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

    /// The types that were chosen by name, and those that `*` stands for.
    pub fn accepted_types(&self) -> Vec<EventType> {
        let filters: Vec<EventTypeFilter> = self.types().into_iter().filter_map(|name| name.try_into().ok()).collect();
        EventType::all().filter(|event_type| filters.iter().any(|filter| filter.accepts(*event_type))).collect()
    }

    pub fn when(&self) -> When {
        When::of(self.fields.get("when"))
    }

    /// The pattern that was chosen, and why it cannot be one.
    pub fn pattern(&self) -> Result<Option<Pattern>, String> {
        let condition = match self.when() {
            When::Pattern => Some(
                serde_json::from_str(self.fields.get("pattern"))
                    .map_err(|error| format!("this is not JSON: {error}"))?,
            ),
            preset => preset.condition(),
        };
        condition.map(|condition| Pattern::parse(&condition)).transpose().map_err(|error| error.to_string())
    }

    /// What is asked for, as far as it was chosen.
    pub fn wanted(&self) -> Result<Wanted, String> {
        Ok(Wanted { scope: self.scope().parse().ok(), pattern: self.pattern()?, transition: self.when().transition() })
    }

    /// Whether an existing destination was chosen.
    pub fn destination(&self) -> Option<&str> {
        self.fields.some("to").filter(|to| to.starts_with(DestinationId::PREFIX))
    }

    /// What is wrong with a step that is left behind. What only the API can tell, it tells when everything is created.
    pub fn errors(&self, step: Step) -> Errors {
        let mut errors = Errors::default();
        match step {
            Step::What => {
                let types = self.accepted_types();
                if self.types().is_empty() {
                    errors.add("type", "choose at least one kind of event");
                }
                match self.scope().parse::<Scope>() {
                    _ if self.scope().is_empty() => errors.add("scope", "choose a place"),
                    Err(error) => {
                        errors.add(if self.fields.get("scope") == "other" { "place" } else { "scope" }, error)
                    }
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

    /// The fields of the other steps, which a step's form carries along.
    pub fn carried(&self, step: Step) -> Vec<(&str, &str)> {
        let own = [&[SENDER, "step", "enter", "found", "check"], step.fields()].concat();
        let pairs = self.fields.pairs().filter(|(name, _)| !own.contains(name));
        pairs.collect()
    }

    /// What `POST /v1/setups` takes.
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

    /// Where the test goes on, for the destination that everything was set up for.
    pub fn test_path(&self, destination: &str) -> String {
        let first = self.accepted_types().first().map(ToString::to_string);
        let mut pairs = vec![("destination", destination), ("wizard", "1")];
        pairs.extend(first.as_deref().map(|event_type| ("type", event_type)));
        pairs.extend(self.fields.some("path").map(|path| ("path", path)));
        format!("/configure/test{}", query(pairs))
    }
}

/// The step and the errors of a setup that the API refused; whatever no field can be found for stands at the top, under ``.
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
