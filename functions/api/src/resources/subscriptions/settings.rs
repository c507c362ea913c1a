//! The settings of a subscription as schemas of the OpenAPI document: in responses, in the body that creates a
//! subscription, and in the body that changes one.
//!
//! They only describe: the domain owns the settings and does not depend on OpenAPI. A test compares the two.

use serde_json::json;
use utoipa::openapi::schema::AllOfBuilder;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::web::settings::{bodies, body, changes};
use crate::web::{choices, schemas};

/// The settings of a subscription that its owner chooses.
#[derive(ToSchema)]
#[schema(as = SubscriptionSettings)]
#[expect(dead_code, reason = "a schema: the domain has the value")]
pub struct Subscription {
    /// The name. It is unique in its account.
    #[schema(value_type = schemas::Label)]
    name: (),
    /// A destination of the same account.
    #[schema(value_type = schemas::DestinationId)]
    destination_id: (),
    #[schema(value_type = Vec<schemas::EventTypeFilter>, min_items = 1, max_items = 20)]
    event_types: (),
    /// The place of the events: the subscription matches events there and everywhere below it.
    #[schema(value_type = schemas::Scope)]
    scope: (),
    /// What `data` must look like. Default: `null`, which matches everything.
    #[schema(required)]
    condition: Option<Condition>,
    /// The transition that an event must be. Default: `null`, any event.
    #[schema(required)]
    transition: Option<choices::AwaitedTransition>,
    #[schema(required, value_type = Option<schemas::DeliveryPath>)]
    path: (),
    /// For `sync_run.missed`: how long after the announced `next_run_at` a run may complete, in whole seconds. Default: 900.
    #[schema(minimum = 60, maximum = 86_400)]
    grace_seconds: u32,
    /// While this is `false`, no event matches. Default: `true`.
    enabled: bool,
}

/// An EventBridge event pattern.
pub enum Condition {}

impl PartialSchema for Condition {
    fn schema() -> RefOr<Schema> {
        let mut condition = ObjectBuilder::new().schema_type(Type::Object).build();
        condition.description = Some(
            "An Amazon EventBridge event pattern over `data`: an object with the fields that matter, each with the list of values \
             that it accepts. At most 2,048 bytes as JSON without white space, and 512 KiB together with all others of the account. A pattern that is \
             malformed or can never match is refused."
                .to_owned(),
        );
        condition.examples = vec![json!({ "status": ["failed"] })];
        condition.into()
    }
}

impl ToSchema for Condition {}

const OF_SUBSCRIPTION: [&str; 4] = ["name", "destination_id", "event_types", "scope"];

bodies! {
    NewSubscription of Subscription:
        body(Subscription::schema(), "A subscription to create.", &OF_SUBSCRIPTION).into();
    ConfiguredSubscription of Subscription: {
        let required = ["name", "destination", "event_types", "scope"];
        let mut body = body(Subscription::schema(), "A subscription of a configuration.", &required);
        body.properties.remove("destination_id");
        let name = AllOfBuilder::new().item(Ref::from_schema_name("Label"));
        let name = name.description(Some("The name of a destination of the configuration."));
        body.properties.insert("destination".to_owned(), name.into());
        body.into()
    };
    SubscriptionChanges of Subscription:
        changes(Subscription::schema(), "The changes of a subscription.", &OF_SUBSCRIPTION);
}

#[cfg(test)]
mod tests {
    use domain::routing::{SubscriptionSettings, plan};

    use super::*;
    use crate::web::settings::tests::check;

    #[test]
    fn the_fields_are_those_of_the_domain() {
        let least = json!({"name": "s", "destination_id": "dst_img480bv82vq4si5", "event_types": ["*"], "scope": "*"});
        check::<SubscriptionSettings>(Subscription::schema(), &OF_SUBSCRIPTION, least);
    }

    #[test]
    fn a_configured_subscription_names_its_destination() {
        let least = json!({"name": "s", "destination": "d", "event_types": ["*"], "scope": "*"});
        let required = ["name", "destination", "event_types", "scope"];
        check::<plan::NamedSubscription>(ConfiguredSubscription::schema(), &required, least);
    }
}
