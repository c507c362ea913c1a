//! Whatever a parser accepts, it accepts again in the form in which it is written, and reads the same value. A row that
//! did not would be written once and never read again. The inputs reach the edges: lengths at the limit, characters that
//! are encoded, numbers at their bounds.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

use std::fmt::Debug;

use domain::attempt::RetryChoice;
use domain::destination::{
    CustomHeaders, DeliveryPath, DestinationSettings, DestinationUrl, RateLimit, TimeoutSeconds,
};
use domain::event::{EventType, EventTypeFilter, Scope};
use domain::routing::{Configuration, EventTypes, Grace, Pattern, SubscriptionSettings};
use domain::value::{
    AccountId, Day, DeliveryId, Description, DestinationId, EventId, JobId, KeyId, Label, RejectedEventId, SessionId,
    SubscriptionId, Timestamp,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads `given`, and what was read again as it is written. Answers whether it was accepted.
#[track_caller]
fn reads_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(given: &str) -> bool {
    let Ok(read) = serde_json::from_str::<T>(given) else { return false };
    let written = serde_json::to_string(&read).expect("a written form");
    match serde_json::from_str::<T>(&written) {
        Ok(again) => assert_eq!(again, read, "{given} is written as {written}"),
        Err(error) => panic!("{given} is written as {written}, and that is refused: {error}"),
    }
    true
}

#[track_caller]
fn text_reads_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(given: &str) -> bool {
    reads_back::<T>(&json!(given).to_string())
}

/// Any text: plain, with control characters, from all planes, or one character many times.
fn any_text(most: usize) -> impl Strategy<Value = String> {
    let lengths = [1, most / 4, most / 3, most / 2, most.saturating_sub(1), most, most + 1];
    prop_oneof![
        "[ -~]{0,40}",
        ".{0,40}",
        prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
        (any::<char>(), prop::sample::select(lengths.to_vec())).prop_map(|(c, n)| String::from(c).repeat(n)),
    ]
}

fn any_host() -> impl Strategy<Value = String> {
    let known = [
        "example.com",
        "EXAMPLE.com.",
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "bücher.example",
        "BÜCHER.example",
        "straße.de",
        "例え.テスト",
        "☃.net",
        "xn--bcher-kva.example",
        "ex%41mple.com",
        "ex%C3%A4mple.com",
        "a_b.example",
        "ｅｘａｍｐｌｅ.com",
        "a\u{ad}b.example",
        "مثال.إختبار",
        "1.2.3",
        "a..b",
        "1e3",
        "faß.example.",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        2 => "[a-zé]{1,63}(\\.[a-zß]{1,63}){0,30}",
        1 => any_text(255),
    ]
}

fn any_url() -> impl Strategy<Value = String> {
    let scheme =
        prop::sample::select(vec!["https://", "http://", "HTTPS://", "https:", "https:\\\\", " https://", "https:///"]);
    let port = prop::sample::select(vec!["", ":443", ":80", ":0443", ":8443", ":", ":65535"]);
    let path = prop::collection::vec(
        prop_oneof![
            3 => prop::sample::select(vec!["/", "//", "/.", "/..", "/%2e", "/%2E%2e/", "\\", "%", "%zz", "\t", "\n", " ", ";a=b", "/a/.."])
                .prop_map(str::to_owned),
            2 => any_text(700),
            1 => any_text(2_020),
        ],
        0..4,
    );
    let query = prop::option::of(any_text(700));
    (scheme, any_host(), port, path, query).prop_map(|(scheme, host, port, path, query)| {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{scheme}{host}{port}{slash}{}{query}", path.concat())
    })
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![
        "/[-A-Za-z0-9._~%!$&'()*+,;=:@/]{0,40}",
        "/(%2e|%2E|\\.|a|/|%|%4){0,20}",
        (250usize..260).prop_map(|n| format!("/{}", "%".repeat(n))),
        any_text(256),
    ]
}

/// A number as a producer or an owner may write it.
fn any_number() -> impl Strategy<Value = String> {
    let edges = [
        "0",
        "-0",
        "-0.0",
        "1e2",
        "1E+2",
        "0.1",
        "0.30000000000000004",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "1e308",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072011e-308",
        "123456789012345680000",
        "9007199254740993",
        "0.1e-7",
    ];
    prop_oneof![
        prop::sample::select(edges.to_vec()).prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?",
        any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| json!(n).to_string()),
    ]
}

fn any_condition() -> impl Strategy<Value = String> {
    let text = || any_text(600).prop_map(|text| json!(text).to_string());
    let number = any_number;
    let value = prop_oneof![
        text(),
        number(),
        Just("null".to_owned()),
        text().prop_map(|t| format!(r#"{{"prefix":{t}}}"#)),
        text().prop_map(|t| format!(r#"{{"suffix":{{"equals-ignore-case":{t}}}}}"#)),
        text().prop_map(|t| format!(r#"{{"wildcard":{t}}}"#)),
        number().prop_map(|n| format!(r#"{{"anything-but":[{n}]}}"#)),
        number().prop_map(|n| format!(r#"{{"numeric":["=",{n}]}}"#)),
        (number(), number()).prop_map(|(a, b)| format!(r#"{{"numeric":[">=",{a},"<",{b}]}}"#)),
        // Bounds that are next to each other, so that the least change of one turns the range round.
        (1.0e-9..1.0e9f64).prop_map(|n| format!(r#"{{"numeric":[">",{},"<",{}]}}"#, json!(n), json!(n.next_up()))),
    ];
    let field = (text(), prop::collection::vec(value, 1..4))
        .prop_map(|(name, values)| format!("{name}:[{}]", values.join(",")));
    let object = prop::collection::vec(field, 1..3).prop_map(|fields| format!("{{{}}}", fields.join(","))).boxed();
    object.prop_recursive(9, 20, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!(r#"{{"a/~b":{inner}}}"#)),
            (inner.clone(), inner).prop_map(|(a, b)| format!(r#"{{"$or":[{a},{b}]}}"#)),
        ]
    })
}

fn any_scope() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        "connection/[-A-Za-z0-9_.]{1,128}",
        "connection/[-A-Za-z0-9_.]{1,130}/(endpoint|insight)/[-A-Za-z0-9_.]{1,130}",
        any_text(128).prop_map(|name| format!("connection/{name}")),
    ]
}

fn any_types() -> impl Strategy<Value = Value> {
    let name =
        prop::sample::select(EventType::all().map(EventType::as_str).chain(["*", "no.type"]).collect::<Vec<_>>());
    prop::collection::vec(name, 0..22).prop_map(Value::from)
}

fn any_time() -> impl Strategy<Value = String> {
    let edges = [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999999-23:59",
        "0001-01-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-23t09:30:00z",
        "2024-02-29T24:00:00Z",
        "2026-11-23T09:30:00.0009999Z",
    ];
    prop_oneof![
        prop::sample::select(edges.to_vec()).prop_map(str::to_owned),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,12})?(Z|[-+][0-2][0-9]:[0-5][0-9])",
        (0u64..=u64::MAX).prop_map(|ms| Timestamp::from_unix_ms(ms).to_string()),
    ]
}

fn any_headers() -> impl Strategy<Value = Value> {
    let name = prop_oneof![4 => "[-A-Za-z0-9!#$%&'*+.^_`|~]{1,64}", 1 => any_text(64)];
    let value = prop_oneof![4 => "[!-~]([ -~]{0,100}[!-~])?", 1 => Just("x".repeat(1_024)), 1 => any_text(1_024)];
    prop::collection::btree_map(name, value, 0..11).prop_map(|map| json!(map))
}

fn any_retry_policy() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![json!("standard"), json!("short"), json!("none"), json!("no"), json!(null)]),
        prop::collection::vec(prop_oneof![Just(1u64), Just(604_800), 0..700_000u64], 0..22).prop_map(Value::from),
    ]
}

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![0..1_002u64, 58..62u64, 86_398..86_403u64, Just(u64::MAX)]
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![9 => "[ -~é☃]{0,127}[!-~]", 1 => any_text(128)]
}

fn often<T: Debug>(usual: impl Strategy<Value = T>, any: impl Strategy<Value = T>) -> impl Strategy<Value = T> {
    prop_oneof![3 => usual, 1 => any]
}

/// A destination's settings as JSON text.
fn any_destination() -> impl Strategy<Value = String> {
    let url = often("https://[a-zé]{1,9}\\.example/[^#]{0,600}".prop_map(String::from), any_url());
    let headers = often(Just(json!({"X-Team": "a b"})), any_headers());
    let fields = (any_name(), url, any_name(), headers, any::<bool>(), 1..31u64, 0..1_001u64);
    (fields, often(Just(json!([1, 604_800])), any_retry_policy())).prop_map(
        |((name, url, description, headers, paused, timeout, rate), retry)| {
            json!({
                "name": name, "url": url, "description": description, "headers": headers, "paused": paused,
                "timeout_seconds": timeout, "rate_limit": Some(rate).filter(|rate| *rate > 0), "retry_policy": retry,
            })
            .to_string()
        },
    )
}

fn any_subscription(reference: &'static str, to: &'static str) -> impl Strategy<Value = String> {
    let transition = prop::sample::select(vec![json!(null), json!("broke"), json!("changed")]);
    let types = often(Just(json!(["*", "sync_run.missed", "*"])), any_types());
    let (scope, path) =
        (often(Just("connection/a".to_owned()), any_scope()), often(Just("/%2f".to_owned()), any_path()));
    let fields = (any_name(), types, scope, any_condition(), transition, path, 60..86_401u64);
    fields.prop_map(move |(name, types, scope, condition, transition, path, grace)| {
        format!(
            r#"{{"name":{},"{reference}":"{to}","event_types":{types},"scope":{},"condition":{condition},
                "transition":{transition},"path":{},"grace_seconds":{grace}}}"#,
            json!(name),
            json!(scope),
            json!(path)
        )
    })
}

#[test]
fn a_url_that_is_too_long_once_it_is_encoded_is_refused_at_once() {
    let typed = format!("http://127.0.0.1:1/{}", "é".repeat(340));
    let refused = DestinationUrl::try_from(typed).expect_err("refused").to_string();
    assert_eq!(refused, "has 2059 bytes once it is percent-encoded; at most 2048 are accepted");
    // 29 bytes, and six for each letter.
    let fits = |letters: usize| {
        text_reads_back::<DestinationUrl>(&format!("https://example.com/x{}?q=1234", "é".repeat(letters)))
    };
    assert!(fits(336) && !fits(337));
    // A host is encoded as well, and a quotation mark in a query.
    assert!(!text_reads_back::<DestinationUrl>(&format!("https://{}.example/", "ü.".repeat(400))));
    assert!(!text_reads_back::<DestinationUrl>(&format!("https://example.com/?{}", "\"".repeat(700))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_url_is_read_back(url in any_url()) {
        text_reads_back::<DestinationUrl>(&url);
    }

    #[test]
    fn a_path_is_read_back_and_what_it_is_joined_to_is_the_url_it_says(url in any_url(), path in any_path()) {
        text_reads_back::<DeliveryPath>(&path);
        let (url, path) = (DestinationUrl::try_from(url), DeliveryPath::try_from(path));
        if let (Ok(url), Ok(path)) = (url, path) {
            let joined = url.join(Some(&path));
            prop_assert!(joined.to_string().len() <= 2_048 + 256, "{joined}");
            prop_assert_eq!(&url::Url::parse(&joined.to_string()).expect("a URL"), joined.as_url());
            prop_assert_eq!(joined.as_url().host(), url.as_url().host());
            prop_assert_eq!(joined.as_url().query(), url.as_url().query());
        }
    }

    #[test]
    fn headers_are_read_back(headers in any_headers()) {
        reads_back::<CustomHeaders>(&headers.to_string());
    }

    #[test]
    fn the_settings_of_a_destination_are_read_back(settings in any_destination(), n in any_count(), retry in any_retry_policy()) {
        reads_back::<DestinationSettings>(&settings);
        reads_back::<TimeoutSeconds>(&n.to_string());
        reads_back::<RateLimit>(&n.to_string());
        reads_back::<RetryChoice>(&retry.to_string());
    }

    #[test]
    fn names_and_descriptions_are_read_back(name in any_text(128), description in any_text(1_024)) {
        text_reads_back::<Label>(&name);
        text_reads_back::<Description>(&description);
    }

    #[test]
    fn a_scope_is_read_back(scope in any_scope()) {
        text_reads_back::<Scope>(&scope);
    }

    #[test]
    fn event_types_are_read_back(types in any_types()) {
        reads_back::<EventTypes>(&types.to_string());
        for one in types.as_array().into_iter().flatten() {
            reads_back::<EventTypeFilter>(&one.to_string());
            reads_back::<EventType>(&one.to_string());
        }
    }

    #[test]
    fn a_condition_is_read_back(condition in any_condition()) {
        reads_back::<Pattern>(&condition);
    }

    #[test]
    fn the_settings_of_a_subscription_are_read_back(settings in any_subscription("destination_id", "dst_0000000000000000"), n in any_count()) {
        reads_back::<SubscriptionSettings>(&settings);
        reads_back::<Grace>(&n.to_string());
    }

    #[test]
    fn a_configuration_is_read_back(destination in any_destination(), subscription in any_subscription("destination", "d")) {
        reads_back::<Configuration>(&format!(r#"{{"destinations":[{destination}],"subscriptions":[{subscription}]}}"#));
    }

    #[test]
    fn ids_are_read_back(name in "[-A-Za-z0-9_]{0,130}", rest in "[0-9a-v]{50}") {
        text_reads_back::<AccountId>(&name);
        text_reads_back::<EventId>(&name);
        assert!(text_reads_back::<DestinationId>(&format!("dst_{}", &rest[..16])));
        assert!(text_reads_back::<SubscriptionId>(&format!("sub_{}", &rest[..16])));
        assert!(text_reads_back::<KeyId>(&format!("key_{}", &rest[..16])));
        assert!(text_reads_back::<JobId>(&format!("job_{}", &rest[..16])));
        assert!(text_reads_back::<SessionId>(&format!("ses_{}", &rest[..16])));
        assert!(text_reads_back::<RejectedEventId>(&format!("rej_{}", &rest[..26])));
        assert!(text_reads_back::<DeliveryId>(&format!("dlv_{rest}")));
    }

    #[test]
    fn times_and_days_are_read_back(time in any_time()) {
        text_reads_back::<Timestamp>(&time);
        text_reads_back::<Day>(time.get(..10).unwrap_or_default());
        if let Ok(time) = Timestamp::parse(&time) {
            assert!(text_reads_back::<Day>(&Day::of(time).to_string()));
            prop_assert_eq!(Timestamp::from_unix_ms(time.unix_ms()), time);
        }
    }
}
