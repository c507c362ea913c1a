//! The domain's text types as schemas of the OpenAPI document. The domain does not depend on OpenAPI, so the format of
//! each type is described here once, and fields refer to it: `#[schema(value_type =
//! schemas::DestinationId)]`.
//!
//! Except for [`Moment`], these types only describe: the domain's types decide what is accepted when they are parsed. The
//! tests of this file compare the two.

use std::borrow::Cow;

use domain::event;
use domain::value;
use serde::{Deserialize, Deserializer, de};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// Defines text types: a format if there is a usual one, pattern, greatest length in characters, example, and description. Each is an enum
/// without variants: it names a schema and can never be a value.
macro_rules! words {
    ($($name:ident $(as $format:ident)?, $pattern:expr, $max:literal, $example:literal, $description:literal;)*) => {
        $(
            #[doc = $description]
            pub enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let text = ObjectBuilder::new().schema_type(Type::String).description(Some($description));
                    $(let text = text.format(Some(SchemaFormat::KnownFormat(KnownFormat::$format)));)?
                    text.pattern(Some($pattern)).max_length(Some($max)).examples([$example]).into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*

        /// All text types, by name.
        pub fn words() -> Vec<(String, RefOr<Schema>)> {
            let types = [
                ("Moment".to_owned(), Moment::schema()),
                ("EventType".to_owned(), EventType::schema()),
                ("EventTypeFilter".to_owned(), EventTypeFilter::schema()),
                ("PublishedEventType".to_owned(), PublishedEventType::schema()),
            ];
            types.into_iter().chain([$((stringify!($name).to_owned(), $name::schema())),*]).collect()
        }
    };
}

words! {
    AccountId, "^[A-Za-z0-9_-]{1,64}$", 64, "acme", "The platform's own id of an account.";
    DestinationId, "^dst_[0-9a-v]{16}$", 20, "dst_img480bv82vq4si5", "The id of a destination.";
    SubscriptionId, "^sub_[0-9a-v]{16}$", 20, "sub_flj9bcteje8dbi88", "The id of a subscription.";
    KeyId, "^key_[0-9a-v]{16}$", 20, "key_ogr633ijs3fm6h9u", "The id of an API key.";
    JobId, "^job_[0-9a-v]{16}$", 20, "job_1m2g0lq5s4n8t3da", "The id of a job.";
    SessionId, "^ses_[0-9a-v]{16}$", 20, "ses_6h2k9q1n7c0dmv3b", "The id of a page session. It is not secret.";
    EventId, "^[A-Za-z0-9_-]{1,128}$", 128, "evt-sync-run-41907",
        "The producer's own id of an event: its idempotency key within the account.";
    DeliveryId, "^dlv_[0-9a-v]{50}$", 54, "dlv_img480bv82vq4si506ab1i5f00g1c3k9u5n2m8t4v0e7a2s9d6",
        "The id of a delivery: the same on every attempt and every repetition.";
    RejectedEventId, "^rej_[0-9a-v]{26}$", 30, "rej_06h0ffd9o03k9u5n2m8t4v0e7a",
        "The id of an entry in the list of rejected events. It is not the id of the event, which may have none.";
    Label, label_pattern(), 128, "Everything",
        "A name for people: 1–128 characters, without control characters and invisible characters, and not only white space.";
    Description, r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$", 1024, "For the finance team.",
        "A description for people: at most 1,024 characters, without control characters except line breaks and tabs.";
    Scope, "^(\\*|connection/[A-Za-z0-9_.-]{1,128}(/(endpoint|insight)/[A-Za-z0-9_.-]{1,128})?)$", 276,
        "connection/xero/endpoint/invoices",
        "A place: `*` (everything), `connection/<id>`, `connection/<id>/endpoint/<id>` or `connection/<id>/insight/<id>`.";
    DestinationUrl, "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s#]+$", 2048, "https://example.com/hooks",
        "An absolute `https` URL of at most 2,048 bytes, without credentials or fragment, whose host does not have a private address.";
    DeliveryPath, "^(/(?!(\\.|%2[Ee]){1,2}(/|$))[A-Za-z0-9._~%!$&'()*+,;=:@-]*)+$", 256, "/invoices",
        "A path that is appended to that of a destination's URL. It has no `.` or `..` segment.";
    SigningSecret, "^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/]{5}[AQgw]==)?$",
        94, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "`whsec_` and the base64 of the signing key, which has 24–64 bytes.";
    Timestamp as DateTime, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$", 24, "2026-11-23T16:36:11.485Z",
        "A moment in UTC: RFC 3339 with milliseconds.";
    Traceparent, "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$", 55, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "A position in a trace: the `traceparent` of W3C Trace Context, version 00.";
    Day as Date, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", 10, "2026-11-23", "A day in UTC.";
}

/// The characters that no name may contain, first and last of each range: control characters and invisible characters.
const IN_NO_NAME: [(char, char); 27] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

fn label_pattern() -> String {
    let written = |c: char| match u32::from(c) {
        code @ ..=0xffff => format!("\\u{code:04x}"),
        _ => c.to_string(),
    };
    let none: String = IN_NO_NAME.map(|(first, last)| format!("{}-{}", written(first), written(last))).concat();
    format!(r"^[^{none}]*[^\s{none}][^{none}]*$")
}

/// The name of an event type of the catalogue.
pub enum EventType {}

/// The name of an event type, or `*` for all types that producers publish, including types added later.
pub enum EventTypeFilter {}

/// The name of an event type that producers publish.
pub enum PublishedEventType {}

fn names_of_types() -> impl Iterator<Item = &'static str> {
    event::EventType::all().map(event::EventType::as_str)
}

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names_of_types()));
        text.description(Some("The name of an event type.")).into()
    }
}

impl ToSchema for EventType {}

impl PartialSchema for EventTypeFilter {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names_of_types().chain(["*"])));
        text.description(Some("The name of an event type, or `*` for all types that producers publish, including types added later. `*` does not include `sync_run.missed` and the operational types; name them one by one.")).into()
    }
}

impl ToSchema for EventTypeFilter {}

impl PartialSchema for PublishedEventType {
    fn schema() -> RefOr<Schema> {
        let data = event::EventType::all().filter(|event_type| !event_type.is_own());
        let names = data.map(event::EventType::as_str);
        let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        text.description(Some("The name of an event type that producers publish.")).into()
    }
}

impl ToSchema for PublishedEventType {}

/// A moment that a request names: RFC 3339, of 1970 or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, pattern = "^(19[7-9]|[2-9][0-9]{2})[0-9]-", example = "2026-11-23T09:30:00Z")]
pub struct Moment(pub value::Timestamp);

impl<'de> Deserialize<'de> for Moment {
    /// Reads a query parameter. Bodies use the domain's `Timestamp`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hint = if text.contains(' ') { " (write the `+` of an offset as `%2B`)" } else { "" };
        value::Timestamp::parse(&text).map(Self).map_err(|error| de::Error::custom(format!("{error}{hint}")))
    }
}

/// What the holder of an API key may do in its account: `viewer` reads; `editor` reads and configures; `publisher` only
/// publishes events; `admin` does all of this and rotates secrets.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it names what the domain's Role has, and is never a value")]
pub enum Role {
    Admin,
    Editor,
    Viewer,
    Publisher,
}

#[cfg(test)]
mod tests {
    use domain::{access, attempt, destination};
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;

    /// Checks that the domain's type accepts the example, and that the example is not too long.
    #[track_caller]
    fn check<Word: ToSchema, Domain: DeserializeOwned>() {
        let schema = serde_json::to_value(Word::schema()).expect("JSON");
        let example = &schema["examples"][0];
        assert!(serde_json::from_value::<Domain>(example.clone()).is_ok(), "{schema}");
        let length = example.as_str().map(|text| text.chars().count() as u64);
        assert!(length <= schema["maxLength"].as_u64(), "{schema}");
    }

    #[test]
    fn the_example_of_every_word_is_one_of_the_domain() {
        check::<AccountId, value::AccountId>();
        check::<DestinationId, value::DestinationId>();
        check::<SubscriptionId, value::SubscriptionId>();
        check::<KeyId, value::KeyId>();
        check::<JobId, value::JobId>();
        check::<SessionId, value::SessionId>();
        check::<EventId, value::EventId>();
        check::<DeliveryId, value::DeliveryId>();
        check::<Label, value::Label>();
        check::<Description, value::Description>();
        check::<Scope, event::Scope>();
        check::<DestinationUrl, destination::DestinationUrl>();
        check::<DeliveryPath, destination::DeliveryPath>();
        check::<Timestamp, value::Timestamp>();
        check::<Day, value::Day>();
        let traceparent = serde_json::to_value(Traceparent::schema()).expect("JSON");
        assert!(traceparent["examples"][0].as_str().expect("text").parse::<value::TraceParent>().is_ok());
        let secret = serde_json::to_value(SigningSecret::schema()).expect("JSON");
        assert!(secret["examples"][0].as_str().expect("text").parse::<attempt::SigningSecret>().is_ok());
    }

    #[test]
    fn the_pattern_of_a_name_leaves_out_what_no_name_has() {
        for c in '\0'..=char::MAX {
            let left_out = IN_NO_NAME.iter().any(|(first, last)| (*first..=*last).contains(&c));
            assert_eq!(left_out, c.is_control() || value::is_invisible(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn the_roles_are_those_of_the_domain() {
        let schema = serde_json::to_value(Role::schema()).expect("JSON");
        let roles = schema["enum"].as_array().expect("an enum");
        assert_eq!(roles.len(), 4);
        for role in roles {
            let parsed: access::Role = serde_json::from_value(Value::clone(role)).expect("a role of the domain");
            assert_eq!(Some(parsed.as_str()), role.as_str());
        }
    }
}
