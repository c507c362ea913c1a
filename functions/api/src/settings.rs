//! What can be set of destinations and subscriptions, as schemas of the OpenAPI document: as it is answered, in the body that
//! creates one, and in the body that changes one.
//!
//! They describe and check nothing: the settings are the domain's, which knows nothing of OpenAPI. A test holds the two together.

use std::borrow::Cow;

use domain::attempt::retry;
use serde_json::json;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::{choices, schemas};

/// What the owner of a destination decides.
#[derive(ToSchema)]
#[schema(as = DestinationSettings)]
#[expect(dead_code, reason = "a schema: the domain has the value")]
pub struct Destination {
    /// Unique in its account.
    #[schema(value_type = schemas::Label)]
    name: (),
    #[schema(value_type = schemas::DestinationUrl)]
    url: (),
    /// Empty if left out.
    #[schema(value_type = schemas::Description)]
    description: (),
    /// Sent along with every request.
    #[schema(value_type = CustomHeaders)]
    headers: (),
    /// While this is `false` nothing is sent, and what is owed is set aside; `true` if left out.
    enabled: bool,
    /// How long one attempt may take, in whole seconds; 15 if left out.
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: u8,
    /// Deliveries a second at most; `null`, or left out, for no limit. What is over waits.
    #[schema(required, minimum = 1, maximum = 1000)]
    rate_limit: Option<u16>,
    #[schema(value_type = RetryPolicy)]
    retry_policy: (),
}

/// What the owner of a subscription decides.
#[derive(ToSchema)]
#[schema(as = SubscriptionSettings)]
#[expect(dead_code, reason = "a schema: the domain has the value")]
pub struct Subscription {
    /// Unique in its account.
    #[schema(value_type = schemas::Label)]
    name: (),
    /// A destination of the same account.
    #[schema(value_type = schemas::DestinationId)]
    destination_id: (),
    #[schema(value_type = Vec<schemas::EventTypeFilter>, min_items = 1, max_items = 20)]
    event_types: (),
    /// It hears of what happens there and everywhere below.
    #[schema(value_type = schemas::Scope)]
    scope: (),
    /// What `data` must look like; `null`, or left out, for anything.
    #[schema(required)]
    condition: Option<Condition>,
    /// The change in the runs of its place that an event must be; `null`, or left out, for any event.
    #[schema(required)]
    transition: Option<choices::AwaitedTransition>,
    #[schema(required, value_type = Option<schemas::DeliveryPath>)]
    path: (),
    /// For `sync_run.missed`: how long after the announced `next_run_at` a run may come, in whole seconds; 900 if left out.
    #[schema(minimum = 60, maximum = 86_400)]
    grace_seconds: u32,
    /// While this is `false` no event matches; `true` if left out.
    enabled: bool,
}

/// A secret to rotate to.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a schema: the handler reads the value, and never repeats the secret")]
pub struct Rotation {
    /// The new secret; generated (32 random bytes) if left out.
    #[schema(value_type = Option<schemas::SigningSecret>)]
    secret: (),
    /// How long the secrets before stay valid, in seconds; 86,400 (a day) if left out.
    #[schema(maximum = 604_800)]
    overlap_seconds: Option<u32>,
}

/// At most 10 headers, by name.
pub enum CustomHeaders {}

impl PartialSchema for CustomHeaders {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new().schema_type(Type::String).max_length(Some(64));
        let name = name.pattern(Some("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"));
        let value = ObjectBuilder::new().schema_type(Type::String).max_length(Some(1_024));
        let value = value.pattern(Some("^[!-~]([ -~]*[!-~])?$"));
        let mut headers = ObjectBuilder::new().property_names(Some(name)).additional_properties(Some(value)).build();
        headers.max_properties = Some(10);
        headers.description = Some(
            "At most 10 headers, by name; names are kept in lower case. None that HTTP or the signature owns (such as `host`, \
             `content-type`, `user-agent`, `webhook-…`), and none for credentials (such as `authorization`): they are stored and \
             shown in clear."
                .to_owned(),
        );
        headers.examples = vec![json!({ "x-team": "data" })];
        headers.into()
    }
}

impl ToSchema for CustomHeaders {}

/// When deliveries are attempted again.
pub enum RetryPolicy {}

impl PartialSchema for RetryPolicy {
    fn schema() -> RefOr<Schema> {
        let names = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["standard", "short", "none"]));
        let wait = ObjectBuilder::new().schema_type(Type::Integer);
        let wait = wait.minimum(Some(1)).maximum(Some(retry::MAX_WAIT.as_secs()));
        let waits = ArrayBuilder::new().items(wait).min_items(Some(1)).max_items(Some(retry::MAX_OWN_WAITS));
        let policy = AnyOfBuilder::new().item(names).item(waits).examples([json!("standard"), json!([10, 60, 3_600])]);
        let description = "When a delivery that failed is attempted again; `standard` if left out. `standard`: the stack's \
            schedule (10 attempts over about 75 hours unless the operator changed it); `short`: 5 attempts over about 10 minutes; \
            `none`: a single attempt; or a list of the waits before attempts 2, 3, … in whole seconds, which may come to \
            1,123,200 (13 days) together. Each wait is varied by up to 20 %, and lengthened by a `Retry-After` of up to 24 hours.";
        policy.description(Some(description)).into()
    }
}

impl ToSchema for RetryPolicy {}

/// An EventBridge event pattern.
pub enum Condition {}

impl PartialSchema for Condition {
    fn schema() -> RefOr<Schema> {
        let mut condition = ObjectBuilder::new().schema_type(Type::Object).build();
        condition.description = Some(
            "An Amazon EventBridge event pattern over `data`: an object with the fields that matter, each with the list of what \
             it accepts. At most 2,048 bytes; what is malformed or can never match is refused."
                .to_owned(),
        );
        condition.examples = vec![json!({ "status": ["failed"] })];
        condition.into()
    }
}

impl ToSchema for Condition {}

/// The settings as a body has them: nothing else is accepted, and only `required` has to be there.
fn body(settings: RefOr<Schema>, description: &str, required: &[&str]) -> utoipa::openapi::Object {
    let RefOr::T(Schema::Object(mut body)) = settings else { return ObjectBuilder::new().build() };
    body.description = Some(description.to_owned());
    body.required = required.iter().map(|&field| field.to_owned()).collect();
    body.additional_properties = Some(Box::new(utoipa::openapi::schema::AdditionalProperties::FreeForm(false)));
    body
}

/// The settings as a merge patch has them: every field may be missing, and `null` where it has a default to fall back to.
fn changes(settings: RefOr<Schema>, description: &str, required: &[&str]) -> RefOr<Schema> {
    let mut body = body(settings, description, &[]);
    for (field, schema) in &mut body.properties {
        if !required.contains(&field.as_str()) {
            let null = ObjectBuilder::new().schema_type(Type::Null);
            *schema = AnyOfBuilder::new().item(schema.clone()).item(null).into();
        }
    }
    body.into()
}

macro_rules! bodies {
    ($($name:ident of $settings:ident: $schema:expr;)*) => {
        $(
            #[doc = concat!("A body with settings of a ", stringify!($settings), ".")]
            pub enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $schema
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }

                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    $settings::schemas(schemas);
                }
            }
        )*
    };
}

const OF_DESTINATION: [&str; 2] = ["name", "url"];
const OF_SUBSCRIPTION: [&str; 4] = ["name", "destination_id", "event_types", "scope"];

bodies! {
    NewDestination of Destination: {
        let mut body = body(Destination::schema(), "A destination to create.", &OF_DESTINATION);
        let generated = "The secret that signs; generated (32 random bytes) if left out.";
        let secret = AnyOfBuilder::new().item(utoipa::openapi::Ref::from_schema_name("SigningSecret"));
        let secret = secret.item(ObjectBuilder::new().schema_type(Type::Null)).description(Some(generated));
        body.properties.insert("secret".to_owned(), secret.into());
        body.into()
    };
    DestinationChanges of Destination:
        changes(Destination::schema(), "What is to change of a destination.", &OF_DESTINATION);
    NewSubscription of Subscription:
        body(Subscription::schema(), "A subscription to create.", &OF_SUBSCRIPTION).into();
    ConfiguredDestination of Destination:
        body(Destination::schema(), "A destination of a configuration.", &OF_DESTINATION).into();
    ConfiguredSubscription of Subscription: {
        let required = ["name", "destination", "event_types", "scope"];
        let mut body = body(Subscription::schema(), "A subscription of a configuration.", &required);
        body.properties.remove("destination_id");
        let name = AllOfBuilder::new().item(utoipa::openapi::Ref::from_schema_name("Label"));
        let name = name.description(Some("The name of a destination of the configuration."));
        body.properties.insert("destination".to_owned(), name.into());
        body.into()
    };
    SubscriptionChanges of Subscription:
        changes(Subscription::schema(), "What is to change of a subscription.", &OF_SUBSCRIPTION);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::attempt::RetryChoice;
    use domain::destination::{DestinationSettings, custom_headers};
    use domain::routing::{SubscriptionSettings, plan};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;

    fn fields(schema: RefOr<Schema>) -> BTreeSet<String> {
        let schema = serde_json::to_value(schema).expect("JSON");
        schema["properties"].as_object().expect("properties").keys().cloned().collect()
    }

    /// `least` is what has to be there; the domain fills in the rest.
    #[track_caller]
    fn check<Domain: Serialize + DeserializeOwned>(schema: RefOr<Schema>, required: &[&str], least: Value) {
        let given: BTreeSet<_> = least.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(given, required.iter().copied().collect());
        for field in required {
            let mut less = least.clone();
            less.as_object_mut().expect("an object").remove(*field);
            assert!(serde_json::from_value::<Domain>(less).is_err(), "{field} can be left out");
        }
        let settings: Domain = serde_json::from_value(least).expect("settings");
        let settings = serde_json::to_value(settings).expect("JSON");
        assert_eq!(settings.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>(), fields(schema));
    }

    #[test]
    fn the_fields_are_those_of_the_domain() {
        let least = json!({"name": "d", "url": "https://example.com/"});
        check::<DestinationSettings>(Destination::schema(), &OF_DESTINATION, least);
        let least = json!({"name": "s", "destination_id": "dst_img480bv82vq4si5", "event_types": ["*"], "scope": "*"});
        check::<SubscriptionSettings>(Subscription::schema(), &OF_SUBSCRIPTION, least);
    }

    #[test]
    fn a_new_destination_has_a_secret_as_well() {
        let mut new = fields(NewDestination::schema());
        assert!(new.remove("secret"));
        assert_eq!(new, fields(Destination::schema()));
    }

    #[test]
    fn a_configured_subscription_names_its_destination() {
        let least = json!({"name": "s", "destination": "d", "event_types": ["*"], "scope": "*"});
        let required = ["name", "destination", "event_types", "scope"];
        check::<plan::NamedSubscription>(ConfiguredSubscription::schema(), &required, least);
    }

    #[test]
    fn as_many_headers_are_described_as_are_accepted() {
        let schema = serde_json::to_value(CustomHeaders::schema()).expect("JSON");
        assert_eq!(schema["maxProperties"], custom_headers::MAX_HEADERS);
    }

    #[test]
    fn every_name_of_a_retry_policy_is_described_and_lists_as_long_as_are_accepted() {
        let schema = serde_json::to_value(RetryPolicy::schema()).expect("JSON");
        let accepted = |setting: Value| serde_json::from_value::<RetryChoice>(setting).is_ok();
        let [names, list] = &schema["anyOf"].as_array().expect("alternatives")[..] else { panic!("{schema}") };
        let mut policies: Vec<RetryChoice> = Vec::new();
        for name in names["enum"].as_array().expect("names") {
            let policy = serde_json::from_value(name.clone()).expect("a policy");
            assert!(!policies.contains(&policy), "{name}");
            policies.push(policy);
        }
        assert_eq!(policies.len(), 3);
        let number = |of: &Value, bound: &str| of[bound].as_u64().expect("a bound");
        let (least, most) = (number(&list["items"], "minimum"), number(&list["items"], "maximum"));
        let (fewest, longest) = (number(list, "minItems"), number(list, "maxItems"));
        let waits = |count: u64| (0..count).map(|_| json!(1)).collect::<Value>();
        for (setting, expected) in [
            (json!([least]), true),
            (json!([least - 1]), false),
            (json!([most]), true),
            (json!([most + 1]), false),
            (waits(fewest), true),
            (waits(fewest - 1), false),
            (waits(longest), true),
            (waits(longest + 1), false),
        ] {
            assert_eq!(accepted(setting.clone()), expected, "{setting}");
        }
    }
}
