//! Starts the verification snippets that the portal shows as a reader would, with the libraries that their first lines
//! install. Each does with the requests of the file for receivers (`tests/src/conformance`) what that says, and answers
//! 401 to anything else that does not verify. The snippets in Python, Node and Rust are run; only the text of the others
//! is checked.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use adapters::{HyperSender, SystemClock};
use domain::attempt::Outcome;
use domain::delivery::request::sign;
use domain::delivery::{DeliveryState, SignedRequest};
use domain::destination::AddressPolicy;
use harness::Failure;
use harness::checkout;
use harness::eventually::eventually;
use harness::local_aws::free_port;
use harness::signed_http::SignedHttp;
use harness::supervised::Supervised;
use harness::unique::unique;
use http::{HeaderValue, Request, StatusCode};
use ports::{Clock, HttpSender};
use testing::{account, destination, record};
use tests::conformance::{self, SECRET, cases, secret};
use tokio::net::TcpStream;

const SECRET_VARIABLE: &str = "SYNCHUB_WEBHOOK_SECRET";
const START: Duration = Duration::from_secs(60);

fn snippets() -> PathBuf {
    checkout::root().join("docs/verify/snippets")
}

/// How a snippet is started.
struct Program {
    path: PathBuf,
    arguments: Vec<PathBuf>,
}

impl Program {
    fn python() -> Self {
        Self { path: tool("receiver", "python"), arguments: vec![snippets().join("python.py")] }
    }

    /// Next to its libraries, where `npm install` puts them.
    fn node() -> Self {
        let copy = checkout::root().join(".venv/node/snippet.mjs");
        fs::copy(snippets().join("node.mjs"), &copy).expect("copied; run `make bootstrap`");
        Self { path: tool("node", "node"), arguments: vec![copy] }
    }

    /// Cargo builds examples next to the tests.
    fn rust() -> Self {
        let tests = std::env::current_exe().expect("a path");
        let profile = tests.parent().and_then(Path::parent).expect("a profile's directory");
        let path = profile.join("examples/snippet");
        assert!(path.exists(), "{} is missing: run `cargo build --workspace --examples`", path.display());
        Self { path, arguments: Vec::new() }
    }

    /// Starts the process with `secret` in its environment. Returns it, and the file with its output.
    fn spawn(&self, secret: Option<&str>, port: u16) -> (Supervised, PathBuf) {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", unique("snippet")));
        let output = File::create(&log).expect("a file");
        let errors = output.try_clone().expect("the same file");
        let process = Supervised::start(&self.path, |command| {
            command.args(&self.arguments).env("PORT", port.to_string()).env_remove(SECRET_VARIABLE);
            command.envs(secret.map(|secret| (SECRET_VARIABLE, secret)));
            command.stdin(Stdio::null()).stdout(output).stderr(errors);
        });
        (process.expect("a process"), log)
    }
}

fn tool(environment: &str, name: &str) -> PathBuf {
    checkout::tool(environment, name).unwrap_or_else(|missing| panic!("{missing}"))
}

/// A snippet that runs and listens for as long as this value lives.
struct Receiver {
    _process: Supervised,
    port: u16,
}

impl Receiver {
    async fn start(program: &Program) -> Self {
        let port = free_port().expect("a port");
        let (mut process, log) = program.spawn(Some(SECRET), port);
        let listens = eventually("a snippet that listens", START, async || match process.ended()? {
            Some(_) => Err(Failure::new(fs::read_to_string(&log).unwrap_or_default())),
            None => Ok(TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)),
        });
        listens.await.unwrap_or_else(|failure| panic!("{}: {failure}", program.path.display()));
        Self { _process: process, port }
    }

    /// The largest request that is sent, full of what is not ASCII.
    fn largest(&self) -> SignedRequest {
        let body = format!(r#"{{"type":"sync_run.completed","data":"{}"}}"#, "é".repeat(128 * 1024));
        let target = destination(&account("acme"), 1, &format!("http://127.0.0.1:{}/hooks", self.port));
        let delivery = record(&target, "evt-1", 0, DeliveryState::Cancelled).delivery;
        sign(&delivery, &target.settings, &body, &[secret()], 1, SystemClock.now())
    }

    async fn status_of(&self, request: conformance::Request, change: Option<&Change>) -> StatusCode {
        let mut post = Request::post(format!("http://localhost:{}/hooks", self.port));
        for (name, value) in &request.headers {
            post = post.header(name, value);
        }
        let mut post = post.body(request.body.into_bytes()).expect("a request");
        match change {
            Some(Change::Header(name, value)) => {
                let value = HeaderValue::from_bytes(value).expect("a value");
                post.headers_mut().insert(*name, value);
            }
            Some(Change::Body(body)) => *post.body_mut() = body.to_vec(),
            None => {}
        }
        let client = SignedHttp::new("localhost", self.port).expect("a client");
        client.send(post).await.unwrap_or_else(|failure| panic!("{change:?}: {failure}")).status()
    }
}

/// What replaces a part of a good request, byte for byte.
#[derive(Debug)]
enum Change {
    Header(&'static str, &'static [u8]),
    Body(&'static [u8]),
}

/// What cannot be written in the file, and what only a program reads wrongly.
const MALFORMED: &[Change] = &[
    Change::Header("webhook-id", b"\xc3\xa9\xff"),
    Change::Header("webhook-timestamp", b"-1"),
    Change::Header("webhook-timestamp", b"Infinity"),
    Change::Header("webhook-timestamp", b"1e999"),
    Change::Header("webhook-timestamp", b"9223372036854775807"),
    Change::Header("webhook-timestamp", b"\xff"),
    Change::Header("webhook-signature", b"v1"),
    Change::Header("webhook-signature", b"v1,a,b"),
    Change::Header("webhook-signature", b"v1,not base64!"),
    Change::Header("webhook-signature", b"v2,YQ== , ,,"),
    Change::Header("webhook-signature", b"v1,\xc3\xa9\xff"),
    Change::Body(b"{"),
    Change::Body(b"\xff\xfe"),
];

async fn check(program: &Program) {
    let receiver = Receiver::start(program).await;
    for case in cases() {
        let status = receiver.status_of(case.request(SystemClock.now().unix_seconds()), None).await;
        assert!([204, 401].contains(&status.as_u16()), "{}: {status}", case.name);
        assert!(case.expected.allows(status == StatusCode::NO_CONTENT), "{}: {status}. {}", case.name, case.why);
    }
    let good = || cases().swap_remove(0).request(SystemClock.now().unix_seconds());
    for change in MALFORMED {
        assert_eq!(receiver.status_of(good(), Some(change)).await, StatusCode::UNAUTHORIZED, "{change:?}");
    }
    // It still works after all of that, with what sends deliveries.
    let policy = AddressPolicy::new("127.0.0.0/8", true, Vec::new()).expect("a policy");
    let sender = HyperSender::new(policy, Arc::new(SystemClock)).expect("a sender");
    let outcome = sender.send(&receiver.largest()).await.expect("an outcome");
    assert_eq!(outcome, Outcome::Delivered { status: 204 });

    // An unset variable often means an empty secret, with which anybody could sign.
    for secret in [None, Some(""), Some("whsec_!")] {
        let (mut process, log) = program.spawn(secret, free_port().expect("a port"));
        let ended = tokio::time::timeout(START, process.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it runs with the secret {secret:?}")).expect("a status");
        assert!(!status.success(), "{secret:?}: {}", fs::read_to_string(&log).unwrap_or_default());
    }
}

#[tokio::test]
async fn the_python_snippet_accepts_what_is_right_and_refuses_what_is_forged() {
    check(&Program::python()).await;
}

#[tokio::test]
async fn the_node_snippet_accepts_what_is_right_and_refuses_what_is_forged() {
    check(&Program::node()).await;
}

#[tokio::test]
async fn the_rust_snippet_accepts_what_is_right_and_refuses_what_is_forged() {
    check(&Program::rust()).await;
}

#[test]
fn every_snippet_can_be_shown_and_tells_of_installing_the_secret_and_repetition() {
    let files: Vec<_> = fs::read_dir(snippets()).expect("snippets").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 8);
    for file in files {
        let name = file.display();
        let text = fs::read_to_string(&file).expect("text");
        let mut lines = text.lines().filter(|line| *line != "<?php");
        assert!((12..=30).contains(&text.lines().count()), "{name}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{name}");
        let first = lines.next().expect("a line");
        let is_pinned = first.contains(|c: char| c.is_ascii_digit()) && first.contains(['#', '/']);
        assert!(is_pinned, "{name} does not begin with what installs its library: {first}");
        assert!(text.contains(SECRET_VARIABLE) && !text.contains("whsec_"), "{name}");
        assert!(text.contains("remember webhook-id"), "{name}");
    }
}

/// The packages, with their versions, that the first line of a snippet installs: its words that contain `separator`.
fn installed(snippet: &str, separator: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(snippets().join(snippet)).expect("a snippet");
    let words = text.lines().next().expect("a line").split(' ');
    words.filter_map(|word| word.split_once(separator)).map(|(name, v)| (name.into(), v.into())).collect()
}

#[test]
fn what_runs_here_is_what_the_first_lines_install() {
    let read = |path: &str| fs::read_to_string(checkout::root().join(path)).expect("a file");
    let requirements = read("tools/requirements-receiver.txt");
    for (name, version) in installed("python.py", "==") {
        assert!(requirements.contains(&format!("\n{name}=={version}\n")), "{name} {version}");
    }
    let packages = read("tools/node/package.json");
    for (name, version) in installed("node.mjs", "@") {
        assert!(packages.contains(&format!("\"{name}\": \"{version}\"")), "{name} {version}");
    }
    let lock = read("Cargo.lock");
    for (name, version) in installed("rust.rs", "@") {
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}")), "{name} {version}");
    }
}
