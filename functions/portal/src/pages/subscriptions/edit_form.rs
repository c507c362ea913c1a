//! The values in the form of a subscription, and the merge patch that they mean.

use domain::routing::Pattern;
use domain::value::json;
use serde_json::{Value, json};

use super::patch;
use crate::markup::html::pretty_value;
use crate::model::Subscription;
use crate::model::faults::{Faults, UNREADABLE};
use crate::web::fields::Fields;

/// The settings as text, as they are in the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub name: String,
    pub destination_id: String,
    pub event_types: Vec<String>,
    pub scope: String,
    /// JSON, or empty.
    pub condition: String,
    pub transition: String,
    pub grace_seconds: String,
    pub path: String,
    pub enabled: bool,
}

impl From<&Subscription> for Typed {
    fn from(subscription: &Subscription) -> Self {
        Self {
            name: subscription.name.clone(),
            destination_id: subscription.destination_id.clone(),
            event_types: subscription.event_types.clone(),
            scope: subscription.scope.clone(),
            condition: subscription.condition.as_ref().map(pretty_value).unwrap_or_default(),
            transition: subscription.transition.clone().unwrap_or_default(),
            grace_seconds: subscription.grace_seconds.to_string(),
            path: subscription.path.clone().unwrap_or_default(),
            enabled: subscription.enabled,
        }
    }
}

impl From<&Fields> for Typed {
    fn from(fields: &Fields) -> Self {
        let get = |name| fields.get(name).to_owned();
        Self {
            name: get("name"),
            destination_id: get("destination_id"),
            event_types: fields.all("event_types").map(str::to_owned).collect(),
            scope: get("scope"),
            condition: get("condition").replace('\r', ""),
            transition: get("transition"),
            grace_seconds: get("grace_seconds"),
            path: get("path"),
            enabled: fields.has("enabled", "true"),
        }
    }
}

impl Typed {
    /// The text for a field of the API's body.
    pub fn shown(&self, field: &str) -> String {
        match field {
            "name" => self.name.clone(),
            "destination_id" => self.destination_id.clone(),
            "event_types" => self.event_types.join(", "),
            "scope" => self.scope.clone(),
            "condition" => self.condition.clone(),
            "transition" => self.transition.clone(),
            "grace_seconds" => self.grace_seconds.clone(),
            "path" => self.path.clone(),
            _ => if self.enabled { "on" } else { "off" }.to_owned(),
        }
    }

    /// The merge patch that gives the subscription these settings, and the faults that prevent it: with any, the API refuses
    /// the patch.
    pub fn patch(&self, now: &Subscription) -> (Value, Faults) {
        let mut faults = Faults::default();
        let optional = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let patch = json!({
            "name": self.name,
            "destination_id": self.destination_id,
            "event_types": self.event_types,
            "scope": self.scope,
            "condition": self.condition_patch(now, &mut faults),
            "transition": optional(&self.transition),
            "grace_seconds": faults.number("grace_seconds", &self.grace_seconds),
            "path": optional(&self.path),
            "enabled": self.enabled,
        });
        (patch, faults)
    }

    /// An invalid condition is refused here, by the same rule as in the API, because a `null` in it would mean a field
    /// to remove in the merge patch.
    fn condition_patch(&self, now: &Subscription, faults: &mut Faults) -> Value {
        if self.condition.is_empty() {
            return Value::Null;
        }
        let typed = match json::read(&self.condition) {
            Ok(typed) => typed,
            Err(error) => {
                faults.add("condition", error.to_string());
                return UNREADABLE;
            }
        };
        if let Err(error) = Pattern::parse(&typed) {
            let place = if error.pointer.is_empty() { String::new() } else { format!("{}: ", error.pointer) };
            faults.add("condition", format!("{place}{}", error.detail));
            return UNREADABLE;
        }
        patch::between(now.condition.as_ref().unwrap_or(&Value::Null), &typed)
    }
}
