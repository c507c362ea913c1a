//! `settings`: the settings of destinations and subscriptions, alone and in a document, and the request that is sent with them.

use domain::attempt::{RetryChoice, SigningSecret};
use domain::delivery::{Delivery, request};
use domain::destination::{CustomHeaders, DestinationSettings, RateLimit, TimeoutSeconds};
use domain::event::Scope;
use domain::routing::{Configuration, EventTypes, Grace, NamedSubscription, Pattern, SubscriptionSettings};
use domain::value::keys::check_keys;
use domain::value::{DestinationId, json};
use http::{HeaderName, HeaderValue};

use crate::input::{now, read_back, text};

pub(crate) fn check(input: &[u8]) {
    let Some(text) = text(input).filter(|text| check_keys(text).is_ok()) else { return };
    if let Some(settings) = read_back::<DestinationSettings>(text) {
        destination(&settings);
    } else if let Err(error) = serde_json::from_str::<DestinationSettings>(text) {
        let told = json::reason(&error);
        assert!(told.chars().count() <= 1_000, "{told}");
    }
    if let Some(settings) = read_back::<SubscriptionSettings>(text) {
        subscription(&settings);
    }
    if let Some(settings) = read_back::<NamedSubscription>(text) {
        let id = DestinationId::from_entropy([1; 10]);
        let back = NamedSubscription::new(settings.clone().settings(id), settings.destination.clone());
        assert_eq!(back, settings);
    }
    if let Some(configuration) = read_back::<Configuration>(text) {
        configuration.destinations.iter().for_each(destination);
        let _ = configuration.check();
    }
    read_back::<EventTypes>(text);
    read_back::<RetryChoice>(text);
    read_back::<TimeoutSeconds>(text);
    read_back::<RateLimit>(text);
    read_back::<Grace>(text);
    read_back::<CustomHeaders>(text);
    read_back::<Pattern>(text);
}

fn destination(settings: &DestinationSettings) {
    assert!(settings.headers.iter().count() <= 10);
    assert!((1..=30).contains(&u64::from(settings.timeout_seconds)));
    assert!(settings.rate_limit.is_none_or(|rate| (1..=1_000).contains(&u64::from(rate))));
    let id = DestinationId::from_entropy([1; 10]);
    let delivery = Delivery {
        id: "dlv_00000000000000000000000000000000000000000000000000".parse().expect("an id"),
        account: "acme".parse().expect("an account"),
        event: "evt-1".parse().expect("an id"),
        event_type: "sync_run.completed".parse().expect("a type"),
        scope: Some(Scope::Everything),
        destination: id,
        path: None,
        traceparent: None,
    };
    let secrets = [SigningSecret::from_entropy([1; 32])];
    let request = request::sign(&delivery, settings, "{}", &secrets, 1, now());
    assert_eq!(request.headers.len(), 7 + settings.headers.iter().count());
    let mut names = std::collections::BTreeSet::new();
    for (name, value) in &request.headers {
        assert!(HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok(), "{name}");
        assert!(names.insert(name), "{name} is sent once");
    }
}

fn subscription(settings: &SubscriptionSettings) {
    let types: Vec<_> = settings.event_types.clone().into();
    assert!((1..=20).contains(&types.len()) && settings.condition_bytes() <= 2_048);
    let (buckets, all) = (settings.buckets(), settings.buckets_of_any_release());
    assert!(!buckets.is_empty() && buckets.iter().all(|bucket| all.contains(bucket)));
    let _ = settings.reach().check();
}
