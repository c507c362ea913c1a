//! Corrects what makes generated clients clumsy. utoipa names a page of accounts `Page_Account` and repeats the schema of
//! the item; here it becomes `AccountPage`, whose items refer to `Account`. Objects of any form are declared as such.

use serde_json::{Map, Value, json};

/// The prefix that utoipa gives to the name of a page.
const GENERIC: &str = "Page_";
const SCHEMAS: &str = "#/components/schemas/";

/// Changes the schemas of the document into those that a client needs.
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

/// Declares that objects whose fields are not described may have any fields.
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

/// Corrects the references to a page to its new name.
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
