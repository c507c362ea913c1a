//! `request`: a request to the API, in the form of HTTP. `DLV` stands for the id of the delivery that there is.

use domain::value::without_secrets;
use serde_json::Value;

use crate::world::{Answer, Written, with_account};

/// What Lambda passes on.
const MOST_ANSWERED: usize = 6_000_000;

pub(crate) fn check(input: &[u8]) {
    let Some(written) = Written::read(input) else { return };
    with_account(|world| {
        let target = written.target.replace("DLV", &world.delivery);
        let Some(answer) = world.call(&Written { target: &target, ..written }) else { return };
        checked(&target, &answer);
        // A cursor leads to the next page of the same list.
        let next = (answer.status == 200).then(|| serde_json::from_slice::<Value>(&answer.body).ok()).flatten();
        if let Some(cursor) = next.as_ref().and_then(|page| page["next_cursor"].as_str())
            && !target.contains("cursor")
        {
            let target = format!("{target}{}cursor={cursor}", if target.contains('?') { "&" } else { "?" });
            let next = world.call(&Written { target: &target, ..Written::plain("GET", "") }).expect("a request");
            assert!(next.status == 200 || written.method != "GET", "{target}: {}", next.text());
        }
    });
}

/// No request is our fault, and what is refused says why, within bounds.
pub(crate) fn checked(target: &str, answer: &Answer) {
    assert!(answer.status < 500, "{target}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    assert!(answer.body.len() <= MOST_ANSWERED);
    if answer.status >= 400 {
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(problem["status"] == answer.status && problem["code"].is_string());
        assert!(detail.chars().count() <= 2_200 && without_secrets(detail) == detail, "{detail}");
        let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(
            errors.len() <= 20 && answer.body.len() <= 64 * 1024,
            "{} faults, {} bytes",
            errors.len(),
            answer.body.len()
        );
    } else if answer.header("content-type").starts_with("application/json") && !answer.body.is_empty() {
        answer.json();
    }
}
