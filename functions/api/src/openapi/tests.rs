//! Tests that the document is complete and valid.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

fn finished() -> Value {
    complete(crate::router::operations().to_openapi(), "https://api.example").expect("a document")
}

/// Every operation of the document by its name, such as `GET /v1/destinations`.
fn described(section: &str) -> Vec<(String, Value)> {
    let document = finished();
    let paths = document[section].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations");
        methods.iter().map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation.clone()))
    });
    operations.collect()
}

#[test]
fn an_independent_validator_finds_no_fault_in_the_document() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/schemathesis/bin/python");
    let mut validator = Command::new(&python);
    validator.args(["-m", "openapi_spec_validator", "--schema", "3.1.0", "-"]);
    let validator = validator.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut validator = validator.expect("tools/bootstrap.sh installs the validator; run `make bootstrap`");
    validator.stdin.take().expect("a pipe").write_all(finished().to_string().as_bytes()).expect("written");
    let output = validator.wait_with_output().expect("an end");
    // After its findings, the validator prints the whole document.
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said[..said.len().min(500)]));
}

#[test]
fn the_document_is_finished_once() {
    let served = Served::new(crate::router::operations().to_openapi());
    let text = served.finished().expect("a document");
    assert_eq!(text.concat().matches(ADDRESS).count(), 0);
    assert!(std::ptr::eq(text, served.finished().expect("a document")));
}

#[test]
fn no_other_route_is_served_that_is_not_described() {
    let plain = include_str!("../router.rs").lines().find(|line| line.trim().starts_with(".route("));
    assert_eq!(plain, None, "add it with `.routes(routes!(…))`");
}

#[test]
fn the_page_lists_the_operations_of_the_document() {
    let page = include_str!("../../../../docs/api.md");
    let rows = page.lines().filter_map(|line| Some(line.strip_prefix("| [`")?.split_once('`')?.0.to_owned()));
    assert_eq!(rows.collect::<BTreeSet<_>>(), described("paths").into_iter().map(|(operation, _)| operation).collect());
}

#[test]
fn the_page_lists_the_codes_of_problems() {
    let page = include_str!("../../../../docs/api.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    let listed = rows.map(|(code, _)| json!(code).to_string()).collect::<BTreeSet<_>>();
    let codes = finished()["components"]["schemas"]["ProblemCode"]["enum"].take();
    let codes = codes.as_array().expect("an enum").iter().map(ToString::to_string);
    assert_eq!(listed, codes.collect());
}

#[test]
fn everything_has_a_name_a_summary_and_a_tag() {
    let mut ids = BTreeSet::new();
    for (operation, said) in described("paths").into_iter().chain(described("webhooks")) {
        for field in ["summary", "description"] {
            assert!(said[field].as_str().is_some_and(|text| !text.is_empty()), "{operation} has no {field}");
        }
        let described = |tag: &Value| TAGS.iter().any(|(name, _)| tag == name);
        assert!(described(&said["tags"][0]) && said["tags"][1].is_null(), "{operation} has no tag, or several");
        let id = said["operationId"].as_str().expect("an id").to_owned();
        assert!(id.contains('_') && id.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{id}");
        assert!(ids.insert(id.clone()), "two operations are called {id}");
    }
    for (name, schema) in finished()["components"]["schemas"].as_object().expect("schemas") {
        assert!(schema["description"].is_string() || schema["allOf"].is_array(), "{name} has no description");
    }
}

#[test]
fn every_body_has_an_example() {
    for (operation, said) in described("paths") {
        for (media_type, content) in said["requestBody"]["content"].as_object().into_iter().flatten() {
            assert!(content["example"].is_object(), "{operation} has no example as {media_type}");
        }
    }
}

#[test]
fn what_may_work_later_says_when() {
    for (operation, said) in described("paths") {
        for status in ["429", "503"] {
            let header = &said["responses"][status]["headers"]["retry-after"];
            assert_eq!(header["schema"]["type"], "integer", "{operation} answers {status}");
        }
    }
}

#[test]
fn an_idempotency_key_is_not_empty() {
    for (operation, said) in described("paths") {
        let parameters = said["parameters"].as_array().into_iter().flatten();
        for key in parameters.filter(|parameter| parameter["name"] == "Idempotency-Key") {
            // The key of an event is its id, so it has the pattern of an event id.
            assert!(key["schema"]["minLength"] == 1 || operation == "POST /v1/events", "{operation}: {key}");
        }
    }
}

#[test]
fn a_choice_of_objects_says_by_which_field_it_is_made() {
    // The variants of this one differ by which fields they have.
    const BY_FIELDS: &str = "WantedDestination";
    for (name, schema) in finished()["components"]["schemas"].as_object().expect("schemas") {
        if schema["oneOf"].is_array() && name != BY_FIELDS {
            let field = schema["discriminator"]["propertyName"].as_str().unwrap_or_else(|| panic!("{name}"));
            let mapped = schema["discriminator"]["mapping"].as_object().expect("a mapping").len();
            assert_eq!(Some(mapped), schema["oneOf"].as_array().map(Vec::len), "{name} by {field}");
        }
    }
}

#[test]
fn pages_refer_to_their_items_and_free_objects_say_so() {
    let document = finished();
    assert_eq!(document["components"]["schemas"]["NewEvent"]["properties"]["data"]["additionalProperties"], true);
    assert_eq!(
        document["components"]["schemas"]["AccountPage"]["properties"]["data"]["items"]["$ref"],
        "#/components/schemas/Account"
    );
    assert!(!document.to_string().contains("Page_"));
}

#[test]
fn nothing_but_the_document_and_a_link_is_open() {
    let open = described("paths").into_iter().filter(|(_, said)| said["security"] == json!([{}]));
    let open = open.map(|(operation, _)| operation).collect::<Vec<_>>();
    assert_eq!(open, ["GET /v1/openapi.json", "POST /v1/sessions"]);
}

#[test]
fn every_post_takes_a_key_or_is_safe_to_repeat_by_nature() {
    let with_key = |said: &Value| {
        let parameters = said["parameters"].as_array().into_iter().flatten();
        parameters.filter(|parameter| parameter["name"] == "Idempotency-Key").count()
    };
    let posts = described("paths").into_iter().filter(|(operation, _)| operation.starts_with("POST "));
    let without = posts.filter(|(_, said)| with_key(said) != 1).map(|(operation, _)| operation);
    assert_eq!(without.collect::<Vec<_>>(), ["POST /v1/sessions", "POST /v1/subscriptions/match"]);
}

#[test]
fn every_event_type_has_a_webhook_with_a_sample_for_each_status() {
    let webhooks = finished()["webhooks"].take();
    for event_type in domain::event::EventType::all() {
        let body = &webhooks[event_type.as_str()]["post"]["requestBody"]["content"]["application/json"];
        assert_eq!(body["schema"]["properties"]["type"]["const"], event_type.as_str());
        for status in event_type.statuses() {
            assert_eq!(body["examples"][status]["value"]["data"]["status"], status);
        }
    }
}
