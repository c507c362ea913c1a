//! Compares conditions with an implementation of EventBridge patterns that is not ours. `tools/pattern_agreement.py`
//! says which one, and explains every difference.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::checkout;

/// The example of `domain` that answers with the code under test. Cargo builds examples next to the tests.
fn matcher() -> PathBuf {
    let tests = std::env::current_exe().expect("a path");
    let matcher = tests.parent().and_then(Path::parent).expect("a profile's directory").join("examples/match_pattern");
    assert!(
        matcher.exists(),
        "{} is missing: run `cargo build --workspace --all-features --examples`",
        matcher.display()
    );
    matcher
}

/// Whether `program` agrees according to the tool, and the tool's output.
fn compare(program: &Path) -> (bool, String) {
    let python = checkout::tool("ministack", "python").expect("the Python that has the other implementation");
    let tool = checkout::root().join("tools/pattern_agreement.py");
    let output = Command::new(python).arg("-B").arg(tool).arg(program).output().expect("an end");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn ten_thousand_pairs_agree_with_another_implementation() {
    let (agrees, said) = compare(&matcher());
    println!("{said}");
    assert!(agrees, "{said}");
    assert!(said.contains("10000 pairs"), "{said}");
}

#[test]
fn a_matcher_that_is_sometimes_wrong_is_found_out() {
    // One answer in a thousand is inverted.
    let wrong = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong_matcher");
    let script = format!(
        "#!/bin/sh\n'{}' | awk 'NR % 1000 == 0 {{ $0 = $0 == \"true\" ? \"false\" : \"true\" }} 1'\n",
        matcher().display()
    );
    std::fs::write(&wrong, script).expect("a script");
    std::fs::set_permissions(&wrong, PermissionsExt::from_mode(0o755)).expect("a program");
    let (agrees, said) = compare(&wrong);
    assert!(!agrees && said.contains("unexplained: {"), "{said}");
}
