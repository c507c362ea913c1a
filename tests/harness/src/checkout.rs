//! Paths inside the checkout. Except for browsers' temporary files, the harness reads and writes nothing outside of it.
//!
//! Nothing missing is installed or built here: the error says which make target does it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, OrFailure, Result};

/// The directory that holds `template.yaml`.
pub fn root() -> &'static Path {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.ancestors().nth(2).unwrap_or(member)
}

/// A tool that `make` installs: `tool("sam", "sam")` is the SAM CLI in the environment of that name.
pub fn tool(environment: &str, name: &str) -> Result<PathBuf> {
    existing(root().join(".venv").join(environment).join("bin").join(name), "make bootstrap")
}

/// How the functions were built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// As for AWS.
    Optimized,
    /// Quickly, and only for this machine.
    Unoptimized,
}

/// The template that `sam build` wrote, which names the built binaries.
pub fn built_template(build: Build) -> Result<PathBuf> {
    let (directory, command) = match build {
        Build::Optimized => ("build", "make build"),
        Build::Unoptimized => ("unoptimized", "make demo"),
    };
    existing(root().join(".aws-sam").join(directory).join("template.yaml"), command)
}

/// The directory for logs and temporary files of one run of the local AWS.
pub fn run_directory(port: u16) -> PathBuf {
    runs("local").join(port.to_string())
}

/// The directory that holds the run directories of one kind of program.
pub fn runs(kind: &str) -> PathBuf {
    root().join("target").join(kind)
}

/// A file of a package that `make` installs for Node, such as `axe-core/axe.min.js`.
pub fn node_module(path: &str) -> Result<PathBuf> {
    existing(root().join(".venv/node/node_modules").join(path), "make bootstrap")
}

/// A sample from `events/`, such as `demo-sync-run-succeeded`.
pub fn sample_event(name: &str) -> Result<Value> {
    let path = root().join("events").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).or_failure(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).or_failure(|| format!("{} is not JSON", path.display()))
}

fn existing(path: PathBuf, made_by: &str) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::new(format!("{} is missing: run `{made_by}`", path.display())))
}
