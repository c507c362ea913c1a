//! An account's destinations and subscriptions as one document, by name, and the steps that lead from one such document
//! to another. It deliberately performs no step.
//!
//! Invariant: the steps of a plan can be taken in their order and lead to the wanted document. If they are interrupted, the
//! next plan completes them (tests: `a_plan_can_be_gone_and_leads_to_what_is_wanted`,
//! `a_plan_broken_off_anywhere_is_finished_by_the_next_one`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::awaited_run::Grace;
use super::pattern::Pattern;
use super::reach::Reach;
use super::subscription::{EventTypes, SubscriptionSettings};
use super::transition::AwaitedTransition;
use crate::destination::{DeliveryPath, DestinationSettings};
use crate::event::Scope;
use crate::value::{DestinationId, Label};

/// What an account has or should have, without its secrets. Names are unique within each kind once
/// [`Configuration::check`] has succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    pub destinations: Vec<DestinationSettings>,
    pub subscriptions: Vec<NamedSubscription>,
}

/// [`SubscriptionSettings`] with the name of the destination in place of its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedSubscription {
    pub name: Label,
    pub destination: Label,
    pub event_types: EventTypes,
    pub scope: Scope,
    #[serde(default)]
    pub condition: Option<Pattern>,
    #[serde(default)]
    pub transition: Option<AwaitedTransition>,
    #[serde(default)]
    pub path: Option<DeliveryPath>,
    #[serde(default, rename = "grace_seconds")]
    pub grace: Grace,
    #[serde(default = "enabled")]
    pub enabled: bool,
}

fn enabled() -> bool {
    true
}

impl NamedSubscription {
    pub fn new(settings: SubscriptionSettings, destination: Label) -> Self {
        let SubscriptionSettings { name, event_types, scope, condition, transition, path, grace, enabled, .. } =
            settings;
        Self { name, destination, event_types, scope, condition, transition, path, grace, enabled }
    }

    pub fn reach(&self) -> Reach<'_> {
        Reach::new(&self.event_types, &self.scope, self.condition.as_ref(), self.transition)
    }

    pub fn settings(self, destination_id: DestinationId) -> SubscriptionSettings {
        let Self { name, event_types, scope, condition, transition, path, grace, enabled, .. } = self;
        SubscriptionSettings { name, destination_id, event_types, scope, condition, transition, path, grace, enabled }
    }
}

/// Why a document cannot be an account's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct ConfigurationError {
    /// A JSON pointer into the document.
    pub pointer: String,
    pub detail: String,
}

impl Configuration {
    /// The same configuration, with each kind sorted by name.
    pub fn sorted(mut self) -> Self {
        self.destinations.sort_by(|a, b| a.name.cmp(&b.name));
        self.subscriptions.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }

    /// Checks that names are unique within each kind, and that the destination of every subscription is in the
    /// document.
    pub fn check(&self) -> Result<(), ConfigurationError> {
        let known = unique("/destinations", self.destinations.iter().map(|d| &d.name))?;
        unique("/subscriptions", self.subscriptions.iter().map(|s| &s.name))?;
        let lost = self.subscriptions.iter().position(|s| !known.contains_key(&s.destination));
        lost.map_or(Ok(()), |place| {
            let pointer = format!("/subscriptions/{place}/destination");
            let detail = "no destination of the document has this name".to_owned();
            Err(ConfigurationError { pointer, detail })
        })
    }
}

/// The position of each name.
fn unique<'a>(
    list: &str,
    names: impl Iterator<Item = &'a Label>,
) -> Result<BTreeMap<&'a Label, usize>, ConfigurationError> {
    let mut places = BTreeMap::new();
    for (place, name) in names.enumerate() {
        if let Some(first) = places.insert(name, place) {
            let detail = format!("is the name of {list}/{first} as well; give each its own");
            return Err(ConfigurationError { pointer: format!("{list}/{place}/name"), detail });
        }
    }
    Ok(places)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Destination,
    Subscription,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Update,
    Delete,
    Unchanged,
}

/// What has to be done with one destination or subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub kind: Kind,
    pub name: Label,
    pub action: Action,
    /// The fields that an update changes, as JSON pointers.
    pub changes: Vec<String>,
}

/// The steps from `current` to `wanted`, in an order in which each is possible: destinations are created before the
/// subscriptions that need them, and deleted after them. Everything new is created before anything is deleted, so that
/// an event that matches before and after also matches in between.
pub fn plan(current: &Configuration, wanted: &Configuration) -> Vec<Step> {
    let destination = |d: &DestinationSettings| d.name.clone();
    let subscription = |s: &NamedSubscription| s.name.clone();
    let (mut steps, gone) = diff(Kind::Destination, &current.destinations, &wanted.destinations, destination);
    let (changed, ended) = diff(Kind::Subscription, &current.subscriptions, &wanted.subscriptions, subscription);
    steps.extend(changed.into_iter().chain(ended).chain(gone));
    steps
}

/// The steps that create or update what is wanted, and those that delete the rest.
fn diff<T: PartialEq + Serialize>(
    kind: Kind,
    current: &[T],
    wanted: &[T],
    name: impl Fn(&T) -> Label,
) -> (Vec<Step>, Vec<Step>) {
    let step = |name, action, changes| Step { kind, name, action, changes };
    let mut left: BTreeMap<_, _> = current.iter().map(|one| (name(one), one)).collect();
    let made = wanted.iter().map(|after| match left.remove(&name(after)) {
        None => step(name(after), Action::Create, Vec::new()),
        Some(before) if before == after => step(name(after), Action::Unchanged, Vec::new()),
        Some(before) => step(name(after), Action::Update, changes(before, after)),
    });
    let made = made.collect();
    (made, left.into_keys().map(|name| step(name, Action::Delete, Vec::new())).collect())
}

/// The fields in which both differ, sorted by name.
fn changes<T: Serialize>(before: &T, after: &T) -> Vec<String> {
    let fields = |one| serde_json::to_value(one).unwrap_or_default();
    let (before, after): (Value, Value) = (fields(before), fields(after));
    let after = after.as_object().into_iter().flatten();
    let changed = after.filter(|(name, value)| before.get(name) != Some(value)).map(|(name, _)| format!("/{name}"));
    BTreeSet::from_iter(changed).into_iter().collect()
}

#[cfg(test)]
mod tests;
