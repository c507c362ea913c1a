//! Schemas of bodies with settings: a body that creates a resource has all of them, and a body that changes it has any
//! of them.

use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder};
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema, Type};

/// The schema of a body that creates something: only `required` fields must be present, and no others are accepted.
pub fn body(settings: RefOr<Schema>, description: &str, required: &[&str]) -> Object {
    let RefOr::T(Schema::Object(mut body)) = settings else { return ObjectBuilder::new().build() };
    body.description = Some(description.to_owned());
    body.required = required.iter().map(|&field| field.to_owned()).collect();
    body.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    body
}

/// The schema of a merge patch: every field may be left out, and may be `null` if it has a default to fall back to.
pub fn changes(settings: RefOr<Schema>, description: &str, required: &[&str]) -> RefOr<Schema> {
    let mut body = body(settings, description, &[]);
    for (field, schema) in &mut body.properties {
        if !required.contains(&field.as_str()) {
            let null = ObjectBuilder::new().schema_type(Type::Null);
            *schema = AnyOfBuilder::new().item(schema.clone()).item(null).into();
        }
    }
    body.into()
}

/// Defines the schemas of bodies by name.
macro_rules! bodies {
    ($($name:ident of $settings:ident: $schema:expr;)*) => {
        $(
            #[doc = concat!("A body with settings of a ", stringify!($settings), ".")]
            pub enum $name {}

            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    $schema
                }
            }

            impl utoipa::ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    std::borrow::Cow::Borrowed(stringify!($name))
                }

                fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                    $settings::schemas(schemas);
                }
            }
        )*
    };
}
pub(crate) use bodies;

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeSet;

    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;

    pub fn fields(schema: RefOr<Schema>) -> BTreeSet<String> {
        let schema = serde_json::to_value(schema).expect("JSON");
        schema["properties"].as_object().expect("properties").keys().cloned().collect()
    }

    /// `least` has the required fields only; the domain fills in the rest.
    #[track_caller]
    pub fn check<Domain: Serialize + DeserializeOwned>(schema: RefOr<Schema>, required: &[&str], least: Value) {
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
}
