//! What the real programs log: with events that carry secrets, at TRACE, and when they cannot start. A socket plays
//! Lambda's runtime API, and AWS is out of reach.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]
#![expect(clippy::disallowed_methods, reason = "a deadline is a time of the wall")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// Each program, with a sample of its events.
const PROGRAMS: [(&str, &str, &str); 6] = [
    ("api", env!("CARGO_BIN_EXE_api"), "api-create-destination.json"),
    ("authorizer", env!("CARGO_BIN_EXE_authorizer"), "authorizer-api-key.json"),
    ("deliver", env!("CARGO_BIN_EXE_deliver"), "deliver-first-attempt.json"),
    ("fanout", env!("CARGO_BIN_EXE_fanout"), "fanout-two-events.json"),
    ("portal", env!("CARGO_BIN_EXE_portal"), "portal-not-a-session.json"),
    ("redrive", env!("CARGO_BIN_EXE_redrive"), "redrive-unit.json"),
];
/// Stands for keys, tokens, secrets and bodies.
const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
/// The trace that Lambda gives the invocation.
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0";
/// Enough for what takes milliseconds, or a few seconds while AWS is out of reach.
const PATIENCE: Duration = Duration::from_secs(40);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The variables of `events/env.json`; every function reads some of them. Nothing listens at the address of AWS.
fn environment() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("events/env.json")).expect("a file");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let given = file["Parameters"].as_object().expect("an object").iter().map(|(name, value)| {
        let value = value.as_str().expect("a text");
        (name.clone(), if value.contains("${") { "https://nobody.example/".to_owned() } else { value.to_owned() })
    });
    let others = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("LOG_LEVEL", "TRACE"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_LAMBDA_FUNCTION_NAME", "watched"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "log"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "log"),
    ];
    given.chain(others.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// The sample, with the secret everywhere an event of this kind may carry one.
fn event(sample: &str) -> String {
    let text = std::fs::read_to_string(root().join("events").join(sample)).expect("a sample");
    let mut event: Value = serde_json::from_str(&text).expect("JSON");
    for record in event["Records"].as_array_mut().into_iter().flatten() {
        let place = if record["Sns"].is_object() { "/Sns/Message" } else { "/body" };
        *record.pointer_mut(place).expect("a text") = json!(format!("{{\"data\": \"{SECRET}\""));
    }
    if event["headers"].is_object() {
        let key = format!("Bearer whk_acme.0000000000000000.{SECRET}");
        event["headers"]["authorization"] = json!(key);
        event["identitySource"] = json!([key]);
        event["cookies"] = json!([format!("session=whs_acme.0000000000000000.{SECRET}")]);
        event["rawQueryString"] = json!(format!("token={SECRET}"));
        event["queryStringParameters"] = json!({"token": SECRET});
        event["body"] = json!(json!({"name": "n", "url": "nonsense", "secret": format!("whsec_{SECRET}")}).to_string());
    }
    event.to_string()
}

/// Reads one request, and returns its first line.
fn request(connection: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut first, mut length) = (String::new(), 0);
    connection.read_line(&mut first).ok().filter(|bytes| *bytes > 0)?;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            connection.read_exact(&mut vec![0; length]).ok()?;
            return Some(first);
        }
    }
}

/// Plays Lambda's runtime API until the event is answered. Returns the path that the answer was sent to.
fn serve(listener: &TcpListener, event: &str) -> String {
    let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time") + PATIENCE;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlambda-runtime-aws-request-id: r1\r\n\
         lambda-runtime-trace-id: {TRACE}\r\nlambda-runtime-deadline-ms: {}\r\nlambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:1:function:f\r\n\
         content-length: {}\r\n\r\n",
        deadline.as_millis(),
        event.len()
    );
    for connection in listener.incoming() {
        let connection = connection.expect("a connection");
        connection.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut connection = BufReader::new(connection);
        while let Some(first) = request(&mut connection) {
            if !first.contains("/invocation/next") {
                return first;
            }
            connection.get_mut().write_all(format!("{head}{event}").as_bytes()).expect("sent");
        }
    }
    unreachable!("connections never end")
}

fn output_of(name: &str) -> (PathBuf, File) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let file = File::create(&path).expect("a file");
    (path, file)
}

#[test]
fn at_trace_no_program_logs_what_an_event_carries() {
    for (name, program, sample) in PROGRAMS {
        let (path, file) = output_of(&format!("{name}.trace"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut command = Command::new(program);
        command.env_clear().envs(environment());
        command.env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().expect("an address").to_string());
        let both = (file.try_clone().expect("a file"), file);
        let mut child = command.stdin(Stdio::null()).stdout(both.0).stderr(both.1).spawn().expect("a process");
        let answered = serve(&listener, &event(sample));
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(answered.starts_with("POST") && answered.contains("/invocation/r1/"), "{name}: {answered}");
        let log = std::fs::read_to_string(path).expect("a log");
        assert!(!log.contains(SECRET), "{name} logs what its event carries:\n{log}");
        let traced = |line: &str| line.contains("\"level\":\"ERROR\"") && line.contains(TRACE);
        assert!(!["deliver", "fanout"].contains(&name) || log.lines().any(traced), "{name} names no trace:\n{log}");
        assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{name} logs plain text:\n{log}");
    }
}

#[test]
fn a_program_that_cannot_start_says_why_in_json() {
    for (name, program, _) in PROGRAMS {
        let output = Command::new(program).env_clear().output().expect("a process");
        assert!(!output.status.success(), "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name} says it in plain text");
        let line: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
        assert_eq!(line["level"], "ERROR", "{name}: {line}");
        assert!(line["error"].as_str().is_some_and(|error| error.contains("LOG_LEVEL")), "{name}: {line}");
    }
}
