//! What generators of clients would stumble over. utoipa names a page of accounts `Page_Account` and writes the item out
//! once more; here it is `AccountPage`, with items that are an `Account`. An object of any form says so.

use serde_json::{Map, Value, json};

/// What utoipa begins the name of a page with.
const GENERIC: &str = "Page_";
const SCHEMAS: &str = "#/components/schemas/";

/// Makes the schemas of the document those that a client wants.
pub fn smooth(document: &mut Value) {
    rename(document);
    for part in ["components", "paths"] {
        open(&mut document[part]);
    }
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let (pages, others): (Map<_, _>, Map<_, _>) =
        std::mem::take(schemas).into_iter().partition(|(name, _)| name.starts_with(GENERIC));
    *schemas = others;
    for (name, mut page) in pages {
        let item = name.trim_start_matches(GENERIC);
        page["properties"]["data"]["items"] = json!({ "$ref": format!("{SCHEMAS}{item}") });
        page["description"] = format!("A page of a list; each item is one `{item}`.").into();
        schemas.insert(format!("{item}Page"), page);
    }
}

/// Says of objects whose fields are not described that they may have any.
fn open(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let of_any_form = ["properties", "additionalProperties"].iter().all(|name| !fields.contains_key(*name));
            if of_any_form && fields.get("type").is_some_and(|kind| kind == "object") {
                fields.insert("additionalProperties".to_owned(), true.into());
            }
            fields.values_mut().for_each(open);
        }
        Value::Array(items) => items.iter_mut().for_each(open),
        _ => {}
    }
}

/// Gives what refers to a page its name.
fn rename(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let page = fields.get("$ref").and_then(|to| to.as_str()?.strip_prefix(SCHEMAS)?.strip_prefix(GENERIC));
            if let Some(item) = page.map(str::to_owned) {
                fields.insert("$ref".to_owned(), format!("{SCHEMAS}{item}Page").into());
            }
            fields.values_mut().for_each(rename);
        }
        Value::Array(items) => items.iter_mut().for_each(rename),
        _ => {}
    }
}
