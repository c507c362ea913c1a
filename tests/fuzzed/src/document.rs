//! `document`: the configuration of an account as one text, in YAML or JSON.

use serde_json::{Value, json};

use domain::value::json as reading;

use crate::request::checked;
use crate::world::{World, Written, with_account};

pub(crate) fn check(input: &[u8]) {
    with_account(|world| {
        let (status, plan) = put(world, input, "application/yaml", true);
        // JSON is YAML as well, and says the same in both.
        if let Ok(text) = str::from_utf8(input)
            && reading::read(text).is_ok()
        {
            let (as_json, same) = put(world, input, "application/json", true);
            assert!(as_json != 200 || status == 200, "YAML refuses what JSON has: {plan}");
            assert!(as_json != 200 || plan == same, "{plan} and {same}");
        }
        if status == 200 && put(world, input, "application/yaml", false).0 == 200 {
            unchanged(world);
        }
    });
}

/// What was configured is written, and read again as the same.
fn unchanged(world: &World) {
    for media_type in ["application/yaml", "application/json"] {
        let accept = vec![("accept", media_type)];
        let answer =
            world.call(&Written { headers: accept, ..Written::plain("GET", "/v1/config") }).expect("a request");
        assert_eq!((answer.status, answer.header("content-type")), (200, media_type));
        let (status, plan) = put(world, &answer.body, media_type, true);
        assert_eq!(status, 200, "{plan}");
        assert_eq!(plan["counts"]["unchanged"], json!(plan["plan"].as_array().map(Vec::len)), "{plan}");
    }
}

fn put(world: &World, document: &[u8], media_type: &str, dry_run: bool) -> (u16, Value) {
    let target = format!("/v1/config?dry_run={dry_run}");
    let written =
        Written { method: "PUT", target: &target, headers: vec![("content-type", media_type)], body: document };
    let answer = world.call(&written).expect("a request");
    checked(&target, &answer);
    (answer.status, answer.json())
}
