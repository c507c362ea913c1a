//! An account's destinations and subscriptions as one document, by name, and the steps that lead from one such document to
//! another. It deliberately takes no step: how a thing is created, changed or deleted is for others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::missed_run::Grace;
use super::pattern::Pattern;
use super::subscription::{EventTypes, SubscriptionSettings};
use super::transition::AwaitedTransition;
use crate::destination::{DeliveryPath, DestinationSettings};
use crate::event::Scope;
use crate::value::{DestinationId, Label};

/// What an account has, or is to have, without its secrets. The names of each kind are unique once [`Configuration::check`]
/// has said so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    pub destinations: Vec<DestinationSettings>,
    pub subscriptions: Vec<NamedSubscription>,
}

/// [`SubscriptionSettings`], with the name of the destination in the place of its id.
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

    pub fn settings(self, destination_id: DestinationId) -> SubscriptionSettings {
        let Self { name, event_types, scope, condition, transition, path, grace, enabled, .. } = self;
        SubscriptionSettings { name, destination_id, event_types, scope, condition, transition, path, grace, enabled }
    }
}

/// Why a document cannot be what an account has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct ConfigurationError {
    /// A JSON pointer into the document.
    pub pointer: String,
    pub detail: String,
}

impl Configuration {
    /// The same, with each kind in the order of the names.
    pub fn sorted(mut self) -> Self {
        self.destinations.sort_by(|a, b| a.name.cmp(&b.name));
        self.subscriptions.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }

    /// Whether each name of a kind is there once, and every subscription has its destination in the document.
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

/// The places of the names.
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

/// What is to be done with one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub kind: Kind,
    pub name: Label,
    pub action: Action,
    /// Of an update, the fields that change, as JSON pointers into the thing.
    pub changes: Vec<String>,
}

/// The steps from `current` to `wanted`, in an order in which each can be taken: destinations are there before a subscription
/// needs them, and go after the last one that did. What is new is created before anything is deleted, so that an event that is
/// heard before and after is heard in between.
pub fn plan(current: &Configuration, wanted: &Configuration) -> Vec<Step> {
    let destination = |d: &DestinationSettings| d.name.clone();
    let subscription = |s: &NamedSubscription| s.name.clone();
    let (mut steps, gone) = diff(Kind::Destination, &current.destinations, &wanted.destinations, destination);
    let (changed, ended) = diff(Kind::Subscription, &current.subscriptions, &wanted.subscriptions, subscription);
    steps.extend(changed.into_iter().chain(ended).chain(gone));
    steps
}

/// The steps that make the wanted ones, and those that delete the others.
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

/// The fields in which the two differ, in the order of their names.
fn changes<T: Serialize>(before: &T, after: &T) -> Vec<String> {
    let fields = |one| serde_json::to_value(one).unwrap_or_default();
    let (before, after): (Value, Value) = (fields(before), fields(after));
    let after = after.as_object().into_iter().flatten();
    let changed = after.filter(|(name, value)| before.get(name) != Some(value)).map(|(name, _)| format!("/{name}"));
    BTreeSet::from_iter(changed).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Configuration {
        serde_json::from_value(value).expect("a configuration")
    }

    fn sample() -> Value {
        json!({
            "destinations": [{"name": "a", "url": "https://example.com/"}, {"name": "b", "url": "https://example.com/"}],
            "subscriptions": [
                {"name": "s", "destination": "a", "event_types": ["*"], "scope": "*"},
                {"name": "t", "destination": "b", "event_types": ["*"], "scope": "*", "condition": {"status": ["failed"]}}
            ]
        })
    }

    #[track_caller]
    fn check_refused(change: impl FnOnce(&mut Value), pointer: &str) {
        let mut document = sample();
        change(&mut document);
        assert_eq!(read(document).check().expect_err("an error").pointer, pointer);
    }

    #[test]
    fn names_are_unique_and_destinations_known() {
        assert_eq!(read(sample()).check(), Ok(()));
        check_refused(|d| d["destinations"][1]["name"] = json!("a"), "/destinations/1/name");
        check_refused(|d| d["subscriptions"][1]["name"] = json!("s"), "/subscriptions/1/name");
        check_refused(|d| d["subscriptions"][1]["destination"] = json!("c"), "/subscriptions/1/destination");
    }

    #[track_caller]
    fn check_plan(change: impl FnOnce(&mut Value), expected: &[&str]) {
        let mut document = sample();
        change(&mut document);
        let steps = plan(&read(sample()), &read(document));
        let told = steps
            .iter()
            .filter(|step| step.action != Action::Unchanged)
            .map(|step| format!("{:?} {:?} {} {}", step.action, step.kind, step.name.as_str(), step.changes.join(" ")));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_plan_says_what_changes_in_an_order_that_can_be_gone() {
        check_plan(|_| {}, &[]);
        check_plan(
            |d| {
                d["destinations"][0]["url"] = json!("https://example.com/x");
                d["destinations"][0]["enabled"] = json!(false);
            },
            &["Update Destination a /enabled /url"],
        );
        check_plan(
            |d| {
                d["destinations"][1]["name"] = json!("c");
                d["subscriptions"] = json!([d["subscriptions"][1]]);
                d["subscriptions"][0]["destination"] = json!("c");
                d["subscriptions"][0]["condition"]["status"] = json!(["partial"]);
            },
            &[
                "Create Destination c ",
                "Update Subscription t /condition /destination",
                "Delete Subscription s ",
                "Delete Destination b ",
            ],
        );
        check_plan(
            |d| *d = json!({"destinations": [], "subscriptions": []}),
            &["Delete Subscription s ", "Delete Subscription t ", "Delete Destination a ", "Delete Destination b "],
        );
    }

    #[test]
    fn a_subscription_keeps_its_settings_under_a_name() {
        let named = read(sample()).subscriptions.remove(1);
        let id = DestinationId::from_entropy([1; 10]);
        assert_eq!(NamedSubscription::new(named.clone().settings(id), named.destination.clone()), named);
    }

    fn any_configuration() -> impl Strategy<Value = Configuration> {
        let destination = ("[abc]", any::<bool>(), "[xy]").prop_map(
            |(name, enabled, url)| json!({"name": name, "enabled": enabled, "url": format!("https://{url}.example/")}),
        );
        let destinations = proptest::collection::vec(destination, 1..4);
        let subscription = ("[stuv]", any::<prop::sample::Index>(), any::<bool>());
        (destinations, proptest::collection::vec(subscription, 0..5)).prop_map(|(destinations, subscriptions)| {
            let subscription = |(name, at, enabled): &(String, prop::sample::Index, bool)| {
                let destination = &at.get(&destinations)["name"];
                json!({"name": name, "destination": destination, "event_types": ["*"], "scope": "*", "enabled": enabled})
            };
            let subscriptions: Vec<_> = subscriptions.iter().map(subscription).collect();
            let mut all = read(json!({"destinations": destinations, "subscriptions": subscriptions})).sorted();
            all.destinations.dedup_by(|a, b| a.name == b.name);
            all.subscriptions.dedup_by(|a, b| a.name == b.name);
            all
        })
    }

    /// An account that refuses what the table refuses.
    #[derive(Default)]
    struct Account {
        destinations: BTreeMap<Label, DestinationSettings>,
        subscriptions: BTreeMap<Label, NamedSubscription>,
    }

    impl Account {
        fn of(all: &Configuration) -> Self {
            Self {
                destinations: all.destinations.iter().map(|d| (d.name.clone(), d.clone())).collect(),
                subscriptions: all.subscriptions.iter().map(|s| (s.name.clone(), s.clone())).collect(),
            }
        }

        fn configuration(&self) -> Configuration {
            Configuration {
                destinations: self.destinations.values().cloned().collect(),
                subscriptions: self.subscriptions.values().cloned().collect(),
            }
        }

        fn take(&mut self, step: &Step, wanted: &Account) {
            let creates = step.action == Action::Create;
            match (step.kind, step.action) {
                (_, Action::Unchanged) => {}
                (Kind::Destination, Action::Create | Action::Update) => {
                    let before = self.destinations.insert(step.name.clone(), wanted.destinations[&step.name].clone());
                    assert_eq!(before.is_none(), creates, "{step:?}");
                }
                (Kind::Subscription, Action::Create | Action::Update) => {
                    let after = wanted.subscriptions[&step.name].clone();
                    assert!(self.destinations.contains_key(&after.destination), "{step:?}: no destination");
                    assert_eq!(self.subscriptions.insert(step.name.clone(), after).is_none(), creates, "{step:?}");
                }
                (Kind::Subscription, Action::Delete) => {
                    assert!(self.subscriptions.remove(&step.name).is_some(), "{step:?}");
                }
                (Kind::Destination, Action::Delete) => {
                    assert!(!self.subscriptions.values().any(|s| s.destination == step.name), "{step:?}: in use");
                    assert!(self.destinations.remove(&step.name).is_some(), "{step:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_plan_can_be_gone_and_leads_to_what_is_wanted(current in any_configuration(), wanted in any_configuration()) {
            let (mut account, target) = (Account::of(&current), Account::of(&wanted));
            for step in plan(&current, &wanted) {
                account.take(&step, &target);
            }
            prop_assert_eq!(account.configuration(), wanted.clone());
            prop_assert!(plan(&account.configuration(), &wanted).iter().all(|step| step.action == Action::Unchanged));
        }

        #[test]
        fn a_plan_broken_off_anywhere_is_finished_by_the_next_one(
            current in any_configuration(), wanted in any_configuration(), stop in any::<prop::sample::Index>()
        ) {
            let (mut account, target) = (Account::of(&current), Account::of(&wanted));
            let steps = plan(&current, &wanted);
            for step in &steps[..stop.index(steps.len())] {
                account.take(step, &target);
            }
            for step in plan(&account.configuration(), &wanted) {
                account.take(&step, &target);
            }
            prop_assert_eq!(account.configuration(), wanted);
        }
    }
}
