//! The text of the file: what its readers have to know, and each case signed for one time.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::case::{Case, Expected};
use super::sign::{OTHER_SECRET, SECRET, SIGNATURES, Sign};
use super::{NOW, TOLERANCE_SECONDS, cases};

/// Where the file is, from the root of the repository.
pub const PATH: &str = "docs/verify/conformance.json";

const ABOUT: [&str; 9] = [
    "Requests for a receiver of SyncHub's webhooks, or of any others that are signed after Standard Webhooks 1.0 (symmetric, v1): those it accepts, those it refuses, and why.",
    "Give your verifier `secret`, set its clock to `now` (Unix seconds), and hand it the headers and the body of each case's `request`, in order.",
    "`expect` is what a right verifier does: `accept`, `refuse`, or `either` where the standard leaves it open.",
    "A whole receiver accepts with any 2xx, and refuses with 401. It processes an event only where `process` is true: not a test, no type that it does not know, and no `webhook-id` a second time.",
    "A timestamp may be `tolerance_seconds` away from the clock. Cases near that limit are ten seconds from it.",
    "The body of a case with `fill` has the word FILL in it: put that many letters `x` in its place before you use it.",
    "If you cannot set the clock, sign each request for your own time: `now` is your time then, and `sign` says how. In its templates, {now} is your time and {at} is `at` seconds after it; {id}, {timestamp} and {body} are those of the request (nothing for a header that the request has not, which is not added). `timestamp` makes `webhook-timestamp`, `text` is what is signed, and `signature` makes `webhook-signature`, where the names in `signatures` stand for what is computed.",
    "Cases with `prove` are the four requests of a test of a destination with `prove`; the name of a forged one is the name of its check.",
    "Both secrets are for this file only: never use them for anything else.",
];

#[derive(Serialize)]
struct File {
    about: [&'static str; 9],
    secret: &'static str,
    other_secret: &'static str,
    now: u64,
    tolerance_seconds: u64,
    signatures: BTreeMap<&'static str, &'static str>,
    cases: Vec<Written>,
}

#[derive(Serialize)]
struct Written {
    name: &'static str,
    expect: Expected,
    process: bool,
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prove: Option<bool>,
    request: WrittenRequest,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill: Option<usize>,
    sign: Sign,
}

#[derive(Serialize)]
struct WrittenRequest {
    method: &'static str,
    #[serde(serialize_with = "as_object")]
    headers: Vec<(String, String)>,
    body: String,
}

/// In their order, whatever order the fields of other objects have.
fn as_object<S: Serializer>(headers: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

impl From<Case> for Written {
    fn from(case: Case) -> Self {
        let headers = case.request(NOW).headers;
        let prove = case.proof.map(|_| true);
        let Case { name, expected: expect, is_processed: process, why, body, fill, sign, .. } = case;
        let request = WrittenRequest { method: "POST", headers, body };
        Self { name, expect, process, why, prove, request, fill, sign }
    }
}

/// The text of the file.
pub fn file() -> String {
    let file = File {
        about: ABOUT,
        secret: SECRET,
        other_secret: OTHER_SECRET,
        now: NOW,
        tolerance_seconds: TOLERANCE_SECONDS,
        signatures: SIGNATURES.into(),
        cases: cases().into_iter().map(Written::from).collect(),
    };
    serde_json::to_string_pretty(&file).expect("JSON") + "\n"
}
