//! The recordings in `tests/recorded`, and how the present results differ from them.

use std::fmt::Write as _;
use std::path::Path;

use harness::checkout;

const RECORDED: &str = "tests/recorded";
const FOUND: &str = "target/recorded-run";
/// How many lines before the first difference are shown.
const AROUND: usize = 3;
/// How many differing lines are shown.
const SHOWN: usize = 12;
const ANEW: &str = "To record anew: RECORD=1 target/debug/local run -- \
                    cargo test --workspace --features tests/e2e --test recorded_run";

/// Fails with the first difference of each file, and writes the present results below `target`. With `RECORD` in the
/// environment, it overwrites the recordings instead.
pub fn compare(found: &[(&str, String)]) {
    if std::env::var_os("RECORD").is_some() {
        return write(&checkout::root().join(RECORDED), found);
    }
    let differences: Vec<_> = found.iter().filter_map(|(name, text)| difference(name, text)).collect();
    if !differences.is_empty() {
        write(&checkout::root().join(FOUND), found);
        panic!("{}\n\nAll of it: diff -r {RECORDED} {FOUND}\n{ANEW}", differences.join("\n\n"));
    }
}

fn write(directory: &Path, files: &[(&str, String)]) {
    std::fs::create_dir_all(directory).expect("a directory");
    for (name, text) in files {
        std::fs::write(directory.join(name), text).expect("a file");
    }
}

fn difference(name: &str, found: &str) -> Option<String> {
    let recorded = std::fs::read_to_string(checkout::root().join(RECORDED).join(name)).unwrap_or_default();
    if recorded == found {
        return None;
    }
    let (before, after): (Vec<_>, Vec<_>) = (recorded.lines().collect(), found.lines().collect());
    let first = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let mut text = format!("{RECORDED}/{name} differs from line {} on:", first + 1);
    for line in &before[first.saturating_sub(AROUND)..first] {
        let _ = write!(text, "\n  {line}");
    }
    for (sign, lines) in [('-', &before), ('+', &after)] {
        for line in lines.iter().skip(first).take(SHOWN) {
            let _ = write!(text, "\n{sign} {line}");
        }
    }
    Some(text)
}
