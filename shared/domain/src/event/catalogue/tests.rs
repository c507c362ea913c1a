//! Requirements on every file of the catalogue.

use std::collections::BTreeSet;
use std::path::Path;

use boon::{Compiler, Schemas};
use serde_json::{Value, json};

use super::*;

fn parsed(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).expect("JSON")
}

#[test]
fn every_file_is_an_entry_under_its_types_name() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue");
    let files: BTreeSet<_> = std::fs::read_dir(directory)
        .expect("the catalogue")
        .map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"))
        .collect();
    for (_, text) in FILES {
        read(text).expect("an entry");
    }
    let names: BTreeSet<_> = entries().iter().map(|entry| format!("{}.json", entry.name)).collect();
    assert_eq!(names, files);
    assert_eq!(entries().len(), FILES.len());
    assert!(entries().is_sorted_by(|a, b| a.name < b.name));
}

/// A type's name is used in keys, headers and URLs.
#[test]
fn every_name_is_dotted_lower_case_and_every_text_says_something() {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    for entry in entries() {
        assert!(entry.name.len() <= 64 && entry.name.split('.').all(word), "{}", entry.name);
        assert!(entry.samples.iter().all(|sample| word(&sample.status)), "{}", entry.name);
        assert!(!entry.plural.is_empty() && entry.plural == entry.plural.to_lowercase(), "{}", entry.name);
        assert!(!entry.title.is_empty() && entry.description.len() > entry.title.len(), "{}", entry.name);
    }
}

#[test]
fn every_schema_is_valid_json_schema_2020_12_and_asks_for_an_object() {
    for entry in entries() {
        let schema = parsed(&entry.schema);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{}", entry.name);
        assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(true)));
        let (mut compiled, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("urn:schema", schema).expect("a resource");
        let result = compiler.compile("urn:schema", &mut compiled);
        assert!(result.is_ok(), "{}: {:?}", entry.name, result.err());
    }
}

/// Every property of an object's schema and of the schemas within it, as JSON pointers with their schemas.
fn properties<'a>(schema: &'a Value, at: &str, found: &mut Vec<(String, &'a Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{at}/{name}");
        properties(property, &pointer, found);
        found.push((pointer, property));
    }
}

#[test]
fn every_property_is_described_and_filled_in_by_the_samples() {
    for entry in entries() {
        let schema = parsed(&entry.schema);
        let mut found = Vec::new();
        properties(&schema, "", &mut found);
        assert!(!found.is_empty(), "{}", entry.name);
        for (pointer, property) in found {
            assert!(property["title"].is_string() && property["description"].is_string(), "{} {pointer}", entry.name);
            let filled = |sample: &&Sample| parsed(&sample.data).pointer(&pointer).is_some_and(|v| !v.is_null());
            let nullable = property["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
            let above = pointer.rsplit_once('/').map_or("", |(above, _)| above).replace('/', "/properties/");
            let above = schema.pointer(&above).and_then(|s| s["type"].as_array());
            let within_nullable = above.is_some_and(|types| types.contains(&json!("null")));
            let count = entry.samples.iter().filter(filled).count();
            let wanted = if nullable || within_nullable { 1 } else { entry.samples.len() };
            assert!(count >= wanted, "{} {pointer}: filled in by {count} samples", entry.name);
        }
    }
}

#[test]
fn there_is_a_sample_for_every_status_and_what_did_not_succeed_says_why() {
    for entry in entries() {
        let statuses: Vec<_> = entry.samples.iter().map(|sample| json!(sample.status)).collect();
        assert_eq!(parsed(&entry.schema)["properties"]["status"]["enum"], json!(statuses), "{}", entry.name);
        for sample in &entry.samples {
            let data = parsed(&sample.data);
            assert_eq!(data["status"], sample.status, "{}", entry.name);
            let says_why = !data["error"].is_null() || data["reason"].is_string();
            assert_eq!(says_why, sample.status != "succeeded", "{} {}", entry.name, sample.status);
        }
    }
}

#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    let (_, text) = FILES.iter().find(|(name, _)| *name == "sync_run.completed").expect("the file");
    let changed: &'static str = text.replacen(from, to, 1).leak();
    assert_ne!(changed, *text, "{from} is not in the file");
    let error = read(changed).expect_err("a file that is wrong").to_string();
    assert!(error.contains(expected), "{error:?} has no {expected:?}");
}

#[test]
fn a_file_that_is_wrong_is_refused() {
    check(r#"{"type""#, r#"{"typ":"","type""#, "unknown field `typ`");
    check(r#""scope":"endpoint""#, r#""scope":"table""#, "unknown variant `table`");
    check(r#""scope":"endpoint""#, r#""scope":"insight""#, "the sample succeeded is about connection/xero/endpoint");
    check(r#""failed":{"#, r#""succeeded":{"#, "there are two samples succeeded");
    check(r#""connection":{"id":"xero""#, r#""connection":{"id":"a b""#, "the sample succeeded: scope: the name");
    check(r#""endpoint":{"id":"invoices""#, r#""insight":{"id":"x"},"endpoint":{"id":"i""#, "about an insight");
    check(r#""connection":{"id":"xero""#, r#""place":{"id":"xero""#, "the sample succeeded: has no connection");
    check(r#""samples":{"#, r#""samples":{},"other":{"#, "unknown field `other`");
}

#[test]
fn what_is_operational_is_about_the_whole_account() {
    for entry in entries() {
        assert_eq!(entry.operational, entry.scope == Place::Account, "{}", entry.name);
    }
}

#[test]
fn samples_carry_no_white_space_but_that_of_their_texts() {
    let sample = &entries()[0].samples[0].data;
    assert_eq!(parsed(sample).to_string().len(), sample.get().len());
    assert!(sample.get().contains(' '));
}
