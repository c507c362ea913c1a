//! Clients that well-known generators make from the OpenAPI document, in TypeScript and in Python. Each runs the flow
//! of the quickstart: a destination, a subscription, an event, and its delivery. The API is the real one, over ports in
//! memory.
//!
//! Invariant: the document is good enough to generate a client from it, with everything that JSON can express (tests:
//! `a_client_in_typescript_is_generated_and_used`, `a_client_in_python_is_generated_and_used`).

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

mod served;

use std::fs;
use std::path::{Path, PathBuf};

use harness::checkout;
use serde_json::{Value, json};
use tokio::process::Command;

/// What both flows print.
fn expected() -> Value {
    json!({
        "types": domain::event::EventType::all().count(), "same_secret": true, "condition": {"status": ["succeeded"]},
        "timeout_seconds": 20, "delivered": ["sync_run.completed"], "attempts": 1, "closes": true, "job": "recover",
        "problem": "name_taken"
    })
}

struct Api {
    url: String,
    key: String,
    document: Value,
}

impl Api {
    async fn start() -> Self {
        let (address, key, document) = served::serve().await;
        Self { url: format!("http://{address}"), key, document }
    }

    /// The example of an event that is posted.
    fn event(&self) -> String {
        let body = &self.document["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"];
        body["example"].to_string()
    }

    /// Runs a flow; returns what it prints.
    async fn run(&self, mut program: Command) -> Value {
        program.env("API_URL", &self.url).env("API_KEY", &self.key).env("EVENT", self.event());
        let said = said_by(program.env("NO_PROXY", "127.0.0.1")).await;
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("no JSON: {said}"))
    }
}

/// What a program prints. The program must succeed.
async fn said_by(program: &mut Command) -> String {
    let output = program.kill_on_drop(true).output().await.expect("a program; run `make bootstrap`");
    let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{program:?}: {said}{complained}");
    format!("{said}{complained}")
}

fn tool(environment: &str, name: &str) -> PathBuf {
    checkout::tool(environment, name).unwrap_or_else(|missing| panic!("{missing}"))
}

/// A new directory with the document in it.
fn directory(at: &Path, document: &Value) -> PathBuf {
    let _ = fs::remove_dir_all(at);
    fs::create_dir_all(at).expect("a directory");
    fs::write(at.join("openapi.json"), document.to_string()).expect("written");
    at.to_owned()
}

fn flow(name: &str) -> PathBuf {
    checkout::root().join("tests/clients").join(name)
}

#[tokio::test]
async fn a_client_in_typescript_is_generated_and_used() {
    let api = Api::start().await;
    let node = tool("node", "node");
    let modules = checkout::root().join(".venv/node/node_modules");
    // Below the packages, where Node and the compiler look for them.
    let directory = directory(&checkout::root().join(".venv/node/client"), &api.document);
    let in_directory = |arguments: &[&str]| {
        let mut command = Command::new(&node);
        command.current_dir(&directory).args(arguments);
        command
    };
    let at = |path: &str| modules.join(path).to_str().expect("UTF-8").to_owned();
    let generator = at("openapi-typescript/bin/cli.js");
    // Fields with a default may be left out.
    let options = ["openapi.json", "--output", "schema.d.ts", "--default-non-nullable=false"];
    said_by(&mut in_directory(&[&[generator.as_str()][..], &options].concat())).await;
    fs::copy(flow("flow.ts"), directory.join("flow.ts")).expect("copied");
    let compiler = at("typescript/bin/tsc");
    let options = "--strict --target es2022 --module nodenext --moduleResolution nodenext --noEmitOnError --outDir out";
    fs::write(directory.join("package.json"), r#"{"type": "module"}"#).expect("written");
    let options: Vec<&str> = [compiler.as_str()].into_iter().chain(options.split(' ')).chain(["flow.ts"]).collect();
    said_by(&mut in_directory(&options)).await;
    assert_eq!(api.run(in_directory(&["out/flow.js"])).await, expected());
}

#[tokio::test]
async fn a_client_in_python_is_generated_and_used() {
    let api = Api::start().await;
    let directory = directory(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("client"), &api.document);
    fs::write(directory.join("generator.yaml"), "post_hooks: []\n").expect("written");
    let mut generator = Command::new(tool("clients", "openapi-python-client"));
    generator.current_dir(&directory).args(["generate", "--path", "openapi.json", "--config", "generator.yaml"]);
    let said = said_by(generator.args(["--meta", "none", "--output-path", "synchub"])).await;
    // The generator cannot write YAML; it must understand everything else.
    let warnings: Vec<_> = said.lines().filter(|line| line.contains("WARNING") || line.contains("Unable")).collect();
    assert_eq!(warnings, ["WARNING parsing PUT /v1/config within configuration."], "{said}");
    assert!(said.contains("Unsupported content type application/yaml"), "{said}");
    fs::copy(flow("flow.py"), directory.join("flow.py")).expect("copied");
    let mut program = Command::new(tool("clients", "python"));
    program.current_dir(&directory).arg("flow.py");
    assert_eq!(api.run(program).await, expected());
}
