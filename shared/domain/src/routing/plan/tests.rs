//! Plans of small configurations, and of random ones.

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
            d["destinations"][0]["paused"] = json!(true);
        },
        &["Update Destination a /paused /url"],
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
        |(name, paused, url)| json!({"name": name, "paused": paused, "url": format!("https://{url}.example/")}),
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
