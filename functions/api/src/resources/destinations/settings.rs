//! The settings of a destination as schemas of the OpenAPI document: as they are answered, in the body that creates a
//! destination, and in the body that changes one.
//!
//! They only describe: the domain owns the settings and knows nothing of OpenAPI. A test keeps the two in step.

use domain::attempt::retry;
use serde_json::json;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::web::schemas;
use crate::web::settings::{bodies, body, changes};

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
    /// While this is `true` nothing is sent, and what is owed is set aside; `false` if left out.
    paused: bool,
    /// How long one attempt may take, in whole seconds; 15 if left out.
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: u8,
    /// Deliveries a second at most; `null`, or left out, for no limit. What is over waits.
    #[schema(required, minimum = 1, maximum = 1000)]
    rate_limit: Option<u16>,
    #[schema(value_type = RetryPolicy)]
    retry_policy: (),
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

const OF_DESTINATION: [&str; 2] = ["name", "url"];
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
    ConfiguredDestination of Destination:
        body(Destination::schema(), "A destination of a configuration.", &OF_DESTINATION).into();
}

#[cfg(test)]
mod tests {
    use domain::attempt::RetryChoice;
    use domain::destination::{DestinationSettings, custom_headers};
    use serde_json::Value;

    use super::*;
    use crate::web::settings::tests::{check, fields};

    #[test]
    fn the_fields_are_those_of_the_domain() {
        let least = json!({"name": "d", "url": "https://example.com/"});
        check::<DestinationSettings>(Destination::schema(), &OF_DESTINATION, least);
    }

    #[test]
    fn a_new_destination_has_a_secret_as_well() {
        let mut new = fields(NewDestination::schema());
        assert!(new.remove("secret"));
        assert_eq!(new, fields(Destination::schema()));
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
