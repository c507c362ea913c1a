//! Every target on the inputs kept in `fuzz/corpus`, and on inputs that are near them: a bounded run without libFuzzer.
//!
//! The inputs come from a seed, which is printed, and is the same each time unless `FUZZ_SEED` names another one.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fuzzed::{TARGETS, Target};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many inputs near those that are kept each target gets.
const NEAR: u32 = 300;
/// The longest that one input may take, on a busy machine and without optimization.
const LONGEST: Duration = Duration::from_secs(20);
/// How much is kept for one target, in bytes.
const MOST_KEPT: usize = 64 * 1024;

fn fuzz(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(part)
}

/// The inputs kept for a target, in the order of their names.
fn kept(target: &Target) -> Vec<Vec<u8>> {
    let files = fs::read_dir(fuzz("corpus").join(target.name)).expect("a directory of inputs");
    let paths: BTreeSet<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.iter().map(|path| fs::read(path).expect("an input")).collect()
}

/// An input, shown as text.
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A change of an input: at a place, as a part of its length, with a number.
type Change = (u8, u16, u8);

fn changed(mut input: Vec<u8>, other: &[u8], changes: &[Change]) -> Vec<u8> {
    for (kind, place, number) in changes {
        let at = usize::from(*place) * (input.len() + 1) / (usize::from(u16::MAX) + 1);
        let end = (at + 1 + usize::from(*number) / 16).min(input.len());
        match kind % 7 {
            0 => input.insert(at, *number),
            1 if at < input.len() => input[at] ^= 1 << (number % 8),
            2 if at < input.len() => input[at] = *number,
            3 => drop(input.drain(at..end)),
            4 => drop(input.splice(at..at, other.iter().copied().take(usize::from(*number)))),
            5 => {
                let part = input[at..end].to_vec();
                drop(input.splice(at..at, part.iter().copied().cycle().take(part.len() * usize::from(number % 64))));
            }
            _ => {
                let odd = [
                    "\u{0}", "\"", "\\", "\u{ffff}", "\u{202e}", "\n", "{", "[[", "}", "-", "e9", "%2e", "é", "\\ud800",
                ];
                let odd = odd[usize::from(*number) % odd.len()].bytes();
                drop(input.splice(at..at, odd));
            }
        }
    }
    input
}

fn run(target: &Target, input: &[u8]) {
    #[expect(clippy::disallowed_methods, reason = "it measures how long the check takes")]
    let begin = Instant::now();
    (target.check)(input);
    let took = begin.elapsed();
    assert!(took < LONGEST, "{} took {took:?} for {} bytes", target.name, input.len());
}

#[test]
fn every_property_holds_for_the_kept_inputs_and_for_those_near_them() {
    let seed = option_env!("FUZZ_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(17_u64);
    println!("FUZZ_SEED={seed}");
    let mut broken = Vec::new();
    for target in &TARGETS {
        let kept = kept(target);
        let breaks = |input: &&Vec<u8>| panic::catch_unwind(|| run(target, input)).is_err();
        if let Some(input) = kept.iter().find(breaks) {
            broken.push(format!("{}: {:?}, which is kept", target.name, Input(input.clone())));
            continue;
        }
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let config = Config { cases: NEAR, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let one = || prop::sample::select(kept.clone());
        let near = (one(), one(), prop::collection::vec(any::<Change>(), 1..6));
        let near = near.prop_map(|(input, other, changes)| Input(changed(input, &other, &changes)));
        if let Err(error) = runner.run(&near, |Input(input)| {
            run(target, &input);
            Ok(())
        }) {
            broken.push(format!("{}: {error}", target.name));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_target_has_a_program_and_few_kept_inputs() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let files = fs::read_dir(fuzz("fuzz_targets")).expect("programs").map(|file| file.expect("a file").path());
    let programs: BTreeSet<String> = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    assert_eq!(names, programs);
    let manifest = fs::read_to_string(fuzz("Cargo.toml")).expect("a manifest");
    for target in &TARGETS {
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
        let program = fs::read_to_string(fuzz("fuzz_targets").join(target.name).with_extension("rs"));
        assert!(program.is_ok_and(|text| text.contains(&format!("check(\"{}\", input)", target.name))));
        let bytes: usize = kept(target).iter().map(Vec::len).sum();
        assert!((1..=MOST_KEPT).contains(&bytes), "{} bytes are kept for {}", bytes, target.name);
    }
}
