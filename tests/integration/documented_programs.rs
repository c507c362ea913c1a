//! Runs the documented programs for verifying a signature as a reader would, on each request of the file for receivers
//! (`tests/src/conformance`). They use public libraries, none of which is ours.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use adapters::SystemClock;
use harness::checkout;
use ports::Clock;
use serde_json::{Value, json};
use tests::conformance::{Expected, SECRET, cases};

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
    assert!(output.status.success() || output.status.code() == Some(1), "{complained}");
    assert!(!complained.contains("Traceback"), "{complained}");
    output.status.success()
}

/// Hands the program each case of the file, signed for this time. Of those that the standard leaves open, its library accepts
/// `accepted`, as docs/conformance.md says.
fn check(program: &Path, arguments: &[&Path], accepted: &[&str]) {
    for case in cases() {
        let request = case.request(SystemClock.now().unix_seconds());
        let headers: serde_json::Map<_, _> = request.headers.into_iter().map(|(k, v)| (k, json!(v))).collect();
        let request = json!({"secret": SECRET, "headers": headers, "body": request.body});
        let verified = verifies(program, arguments, &request);
        assert!(case.expected.allows(verified), "{}: {verified}. {}", case.name, case.why);
        assert!(case.expected != Expected::Either || verified == accepted.contains(&case.name), "{}", case.name);
    }
}

fn tool(path: &str) -> PathBuf {
    checkout::root().join(".venv").join(path)
}

#[test]
fn the_python_program_verifies() {
    check(
        &tool("sam/bin/python"),
        &[&checkout::root().join("docs/verify/verify.py")],
        &["signature_with_more_padding", "timestamp_with_fraction"],
    );
}

#[test]
fn the_javascript_program_verifies() {
    // Beside its library, as the page says.
    let copy = tool("node/verify.mjs");
    std::fs::copy(checkout::root().join("docs/verify/verify.mjs"), &copy).expect("copied; run `make bootstrap`");
    check(&tool("node/bin/node"), &[&copy], &["timestamp_with_fraction"]);
}

#[test]
fn the_rust_program_verifies() {
    // Cargo builds examples next to the tests.
    let tests = std::env::current_exe().expect("a path");
    let profile = tests.parent().and_then(Path::parent).expect("a profile's directory");
    check(&profile.join("examples/verify"), &[], &["id_empty"]);
}

#[test]
fn the_page_about_receiving_shows_the_programs_as_they_are() {
    let page = std::fs::read_to_string(checkout::root().join("docs/receiving.md")).expect("the page");
    for path in ["docs/verify/verify.py", "docs/verify/verify.mjs", "tests/examples/verify.rs"] {
        let program = std::fs::read_to_string(checkout::root().join(path)).expect("a program");
        assert!(page.contains(program.trim()), "{path} differs from what the page shows");
    }
}
