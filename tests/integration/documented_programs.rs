//! Runs the documented programs for verifying a signature as a reader would: on a request that this system signed, and on
//! forged ones. They use public libraries, none of which is ours.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use adapters::SystemClock;
use domain::attempt::SigningSecret;
use domain::delivery::DeliveryState;
use domain::delivery::request::sign;
use domain::value::Timestamp;
use harness::checkout;
use ports::Clock;
use serde_json::{Value, json};
use testing::{account, destination, record};

/// A request as this system would sign it at this time.
fn signed(at: Timestamp) -> Value {
    let target = destination(&account("acme"), 1, "https://example.com/hooks");
    let delivery = record(&target, "evt-1", 0, DeliveryState::Cancelled).delivery;
    let secret = SigningSecret::from_entropy([7; 32]);
    let request = sign(
        &delivery,
        &target.settings,
        r#"{"id":"evt-1","data":{"name":"Zoë"}}"#,
        std::slice::from_ref(&secret),
        1,
        at,
    );
    let headers: serde_json::Map<_, _> =
        request.headers.iter().map(|(k, v)| (k.clone().into_owned(), json!(v))).collect();
    json!({"secret": secret.reveal().as_str(), "headers": headers, "body": request.body})
}

/// Whether the program says that the request is verified.
fn verifies(program: &Path, arguments: &[&Path], request: &Value) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process =
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}; run `make bootstrap`", program.display()));
    process.stdin.take().expect("a pipe").write_all(request.to_string().as_bytes()).expect("written");
    let output = process.wait_with_output().expect("an end");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() == (said.trim() == "verified"), "{said}{complained}");
    // A broken program would also refuse the forged requests, so every refusal has to give the right reason.
    assert!(
        output.status.success() || ["ignature", "imestamp"].iter().any(|word| complained.contains(word)),
        "{complained}"
    );
    output.status.success()
}

fn check(program: &Path, arguments: &[&Path]) {
    let now = SystemClock.now();
    let good = signed(now);
    assert!(verifies(program, arguments, &good), "a good request was refused");
    let mut altered = good.clone();
    altered["body"] = json!(r#"{"id":"evt-1","data":{"name":"Zoe"}}"#);
    let mut other_secret = good.clone();
    other_secret["secret"] = json!(SigningSecret::from_entropy([8; 32]).reveal().as_str());
    let old = signed(Timestamp::from_unix_ms(now.unix_ms() - 6 * 60_000));
    for (what, forged) in [("an altered body", altered), ("another secret", other_secret), ("an old request", old)] {
        assert!(!verifies(program, arguments, &forged), "{what} was accepted");
    }
}

fn tool(path: &str) -> PathBuf {
    checkout::root().join(".venv").join(path)
}

#[test]
fn the_python_program_verifies() {
    check(&tool("sam/bin/python"), &[&checkout::root().join("docs/verify/verify.py")]);
}

#[test]
fn the_javascript_program_verifies() {
    // Beside its library, as the page says.
    let copy = tool("node/verify.mjs");
    std::fs::copy(checkout::root().join("docs/verify/verify.mjs"), &copy).expect("copied; run `make bootstrap`");
    check(&tool("node/bin/node"), &[&copy]);
}

#[test]
fn the_rust_program_verifies() {
    // Cargo builds examples next to the tests.
    let tests = std::env::current_exe().expect("a path");
    let profile = tests.parent().and_then(Path::parent).expect("a profile's directory");
    check(&profile.join("examples/verify"), &[]);
}

#[test]
fn the_page_about_receiving_shows_the_programs_as_they_are() {
    let page = std::fs::read_to_string(checkout::root().join("docs/receiving.md")).expect("the page");
    for path in ["docs/verify/verify.py", "docs/verify/verify.mjs", "tests/examples/verify.rs"] {
        let program = std::fs::read_to_string(checkout::root().join(path)).expect("a program");
        assert!(page.contains(program.trim()), "{path} differs from what the page shows");
    }
}
