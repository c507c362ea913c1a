//! The file with the requests for receivers, `docs/verify/conformance.json`: that it says what this system sends, and that each
//! mistake a receiver can make is found by one of its cases. The programs and snippets that we hand out are tried with the same
//! cases in the tests beside this one.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

use std::collections::HashSet;
use std::process::Command;

use data_encoding::BASE64;
use domain::attempt::signature::signature;
use domain::delivery::{Probe, Sample};
use domain::value::Timestamp;
use harness::checkout;
use serde_json::Value;
use tests::conformance::{
    self, Case, Expected, NOW, Proof, Request, SECRET, TOLERANCE_SECONDS, cases, hmac, other_secret, secret,
};

const ANEW: &str = "To make it anew: RECORD=1 cargo test -p tests --test conformance";

#[test]
fn the_file_is_what_the_code_makes() {
    let path = checkout::root().join(conformance::PATH);
    let made = conformance::file();
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(&path, &made).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let first = found.lines().zip(made.lines()).position(|(found, made)| found != made);
    assert!(
        found == made,
        "{} differs from what is made, from line {first:?} on (counted from 0). {ANEW}",
        path.display()
    );
}

#[test]
fn each_case_has_a_name_of_its_own_and_says_why() {
    let cases = cases();
    let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
    for case in &cases {
        let is_sentence = case.why.starts_with(|c: char| c.is_uppercase() || c == '`') && case.why.ends_with('.');
        assert!(is_sentence, "{}: {}", case.name, case.why);
        assert!(case.expected != Expected::Refuse || !case.is_processed, "{}", case.name);
    }
}

fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

#[test]
fn a_right_request_is_signed_as_deliveries_are() {
    let right = |case: &&Case| case.expected == Expected::Accept && case.sign.signature == "v1,{ours}";
    for case in cases().iter().filter(right) {
        let request = case.request(NOW);
        let at = NOW.saturating_add_signed(case.sign.at);
        let id = header(&request, "webhook-id").expect("an id");
        assert_eq!(header(&request, "webhook-timestamp"), Some(at.to_string().as_str()), "{}", case.name);
        let expected = signature(&secret(), id, at, &request.body);
        assert_eq!(header(&request, "webhook-signature"), Some(expected.as_str()), "{}", case.name);
    }
}

#[test]
fn each_request_of_a_proof_is_a_case() {
    let now = Timestamp::from_unix_ms(NOW * 1000);
    let mut found = Vec::new();
    for case in cases() {
        let Some(proof) = case.proof else { continue };
        let (delivery, destination) = (&case.delivery, conformance::destination());
        let sample = Sample { destination: &destination, secrets: &[secret()], body: &case.original_body };
        let trial = match proof {
            Proof::Good => sample.good(delivery, now),
            Proof::Forged(probe) => {
                assert_eq!(case.name, probe.as_str());
                sample.forged(probe, delivery, other_secret(), now)
            }
        };
        let headers = trial.request.headers.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        assert_eq!(case.request(NOW), Request { headers, body: trial.request.body }, "{}", case.name);
        found.push(proof);
    }
    let all: Vec<_> = [Proof::Good].into_iter().chain(Probe::ALL.map(Proof::Forged)).collect();
    assert_eq!(found, all);
}

/// What receivers get wrong, and a list of it all, so that none goes untried.
macro_rules! mistakes {
    ($($mistake:ident),* $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Mistake {
            None,
            $($mistake),*
        }

        const MISTAKES: &[Mistake] = &[$(Mistake::$mistake),*];
    };
}

mistakes! {
    SkipsTheSignature,
    SkipsTheTimestamp,
    SkipsWhatIsAhead,
    SkipsWhatIsOld,
    ComparesNumbersOfAnyKind,
    ReadsMillisecondsToo,
    TakesMissingForEmpty,
    SignsTheBodyAlone,
    SignsWithoutTheId,
    SignsWithoutTheTimestamp,
    ParsesTheBodyFirst,
    TrimsTheBody,
    DropsWhatIsNotAscii,
    ReadsHundredKibibytes,
    UsesTheSecretsText,
    ReadsTheFirstSignature,
    ReadsTheLastSignature,
    TakesAnyVersion,
    NeedsNoVersion,
    ComparesWhatBothHave,
    WritesHexadecimal,
    KnowsNamesInLowerCase,
}

impl Mistake {
    fn is_fresh(self, timestamp: &str) -> bool {
        let seconds = timestamp.parse::<u64>();
        let seconds =
            seconds.map(|s| if self == Mistake::ReadsMillisecondsToo && s > 100_000_000_000 { s / 1000 } else { s });
        match self {
            Mistake::SkipsTheTimestamp => true,
            Mistake::SkipsWhatIsAhead => seconds.is_ok_and(|at| NOW <= at.saturating_add(TOLERANCE_SECONDS)),
            Mistake::SkipsWhatIsOld => seconds.is_ok_and(|at| at <= NOW + TOLERANCE_SECONDS),
            Mistake::ComparesNumbersOfAnyKind => timestamp.parse::<f64>().is_ok_and(|at| {
                let is_off = (at - NOW as f64).abs() > TOLERANCE_SECONDS as f64;
                !is_off
            }),
            _ => seconds.is_ok_and(|at| at.abs_diff(NOW) <= TOLERANCE_SECONDS),
        }
    }

    fn signed_text(self, id: &str, timestamp: &str, body: &str) -> String {
        match self {
            Mistake::SignsTheBodyAlone => body.to_owned(),
            Mistake::SignsWithoutTheId => format!("{timestamp}.{body}"),
            Mistake::SignsWithoutTheTimestamp => format!("{id}.{body}"),
            Mistake::ParsesTheBodyFirst => {
                let body =
                    serde_json::from_str::<Value>(body).map_or_else(|_| body.to_owned(), |body| body.to_string());
                format!("{id}.{timestamp}.{body}")
            }
            Mistake::TrimsTheBody => format!("{id}.{timestamp}.{}", body.trim()),
            Mistake::DropsWhatIsNotAscii => format!("{id}.{timestamp}.{}", body.replace(|c: char| !c.is_ascii(), "")),
            Mistake::ReadsHundredKibibytes => format!("{id}.{timestamp}.{}", &body[..body.len().min(100 * 1024)]),
            _ => format!("{id}.{timestamp}.{body}"),
        }
    }

    fn is_equal(self, expected: &[u8; 32], entry: &str) -> bool {
        let given = match (self, entry.split_once(',')) {
            (Mistake::NeedsNoVersion, None) => entry,
            (Mistake::TakesAnyVersion, Some((_, given))) | (_, Some(("v1", given))) => given,
            _ => return false,
        };
        match self {
            Mistake::ComparesWhatBothHave => {
                let given = BASE64.decode(given.as_bytes()).unwrap_or_default();
                expected.iter().zip(&given).all(|(one, other)| one == other)
            }
            Mistake::WritesHexadecimal => data_encoding::HEXLOWER.encode(expected) == given,
            _ => BASE64.encode(expected) == given,
        }
    }

    /// Whether a receiver with this mistake accepts the request.
    fn accepts(self, request: &Request) -> bool {
        let value = |name| match self {
            Mistake::KnowsNamesInLowerCase => {
                request.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
            }
            Mistake::TakesMissingForEmpty => header(request, name).or(Some("")),
            _ => header(request, name),
        };
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let [Some(id), Some(timestamp), Some(given)] = names.map(value) else { return false };
        let secret = secret();
        let key = if self == Mistake::UsesTheSecretsText { SECRET.as_bytes() } else { secret.key() };
        let expected = hmac(key, &self.signed_text(id, timestamp, &request.body));
        let mut entries = given.split(' ');
        let is_signed = match self {
            Mistake::SkipsTheSignature => true,
            Mistake::ReadsTheFirstSignature => entries.next().is_some_and(|entry| self.is_equal(&expected, entry)),
            Mistake::ReadsTheLastSignature => entries.next_back().is_some_and(|entry| self.is_equal(&expected, entry)),
            _ => entries.any(|entry| self.is_equal(&expected, entry)),
        };
        is_signed && self.is_fresh(timestamp)
    }

    /// The names of the cases that a receiver with this mistake gets wrong.
    fn found_by(self) -> Vec<&'static str> {
        let is_wrong = |case: &&Case| !case.expected.allows(self.accepts(&case.request(NOW)));
        cases().iter().filter(is_wrong).map(|case| case.name).collect()
    }
}

#[test]
fn every_mistake_of_a_receiver_is_found_by_a_case() {
    assert_eq!(Mistake::None.found_by(), Vec::<&str>::new());
    for mistake in MISTAKES {
        let found_by = mistake.found_by();
        println!("{mistake:?}: {}", found_by.join(", "));
        assert!(!found_by.is_empty(), "no case finds a receiver that {mistake:?}");
    }
}

/// Runs the program of the page, which is beside the file, and says whether it succeeded and what it printed.
fn run(directory: &std::path::Path) -> (bool, String) {
    let python = checkout::tool("sam", "python").unwrap_or_else(|missing| panic!("{missing}"));
    let output = Command::new(python).arg(directory.join("conformance.py")).output().expect("a program that runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn the_documented_program_finds_that_the_library_does_as_the_file_says() {
    let (succeeded, said) = run(&checkout::root().join("docs/verify"));
    assert!(succeeded && said.contains(&format!("all {} cases", cases().len())), "{said}");
}

#[test]
fn the_documented_program_names_what_a_verifier_gets_wrong() {
    let directory = tempfile::tempdir().expect("a folder");
    let docs = checkout::root().join("docs/verify");
    std::fs::copy(docs.join("conformance.py"), directory.path().join("conformance.py")).expect("copied");
    let text = std::fs::read_to_string(docs.join("conformance.json")).expect("the file");
    let other = text.replacen(r#""expect": "accept""#, r#""expect": "refuse""#, 1);
    std::fs::write(directory.path().join("conformance.json"), other).expect("written");
    let (succeeded, said) = run(directory.path());
    assert!(!succeeded && said.contains("valid: accept, but refuse is right"), "{said}");
}

#[test]
fn the_page_shows_the_program_and_names_only_what_there_is() {
    let page = std::fs::read_to_string(checkout::root().join("docs/conformance.md")).expect("the page");
    let program = std::fs::read_to_string(checkout::root().join("docs/verify/conformance.py")).expect("the program");
    assert!(page.contains(program.trim()), "docs/verify/conformance.py differs from what the page shows");
    let left_open = cases().into_iter().filter(|case| case.expected == Expected::Either || case.proof.is_some());
    for case in left_open {
        assert!(page.contains(&format!("`{}`", case.name)), "the page does not tell of {}", case.name);
    }
    assert!(page.contains(&format!("{} cases", cases().len())), "the page has another number of cases");
}
