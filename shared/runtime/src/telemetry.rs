//! JSON logs: each line has a message that can be understood alone, and dotted ids. Healthy deliveries log nothing at
//! INFO.
//!
//! Invariant: the content of requests is not logged at any level, whatever libraries log (tests:
//! `at_trace_no_program_logs_what_an_event_carries`, `every_crate_that_runs_on_lambda_logs_at_the_level`,
//! `nothing_secret_is_in_a_log_an_error_a_list_or_the_table`).
//!
//! Invariant: the reason why a program ends is logged as JSON at ERROR (tests:
//! `a_program_that_cannot_start_says_why_in_json`, `a_panic_is_json_at_error`).

use std::error::Error;
use std::fmt;
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;

use domain::value::{bounded, json};
use tracing::error;
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{FormatFields, JsonFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// An error with all its causes on one line, without the values that serde would repeat. (`&err as &dyn Error` loses the
/// sources in JSON logs.)
pub struct ErrorChain<'a>(pub &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |error: &dyn Error| bounded(json::without_value(&error.to_string()));
        f.write_str(&told(self.0))?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {}", told(error))?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The crates of this workspace that run on Lambda.
const OURS: [&str; 10] =
    ["adapters", "api", "authorizer", "deliver", "domain", "fanout", "portal", "ports", "redrive", "runtime"];

/// What is logged: our own crates log at `level` (`WARN` to `TRACE`). Libraries stay at WARN, because some log whole
/// requests, events and headers below that. Of Lambda's runtime only the spans are taken, which carry request ids.
fn targets(level: &str) -> Targets {
    // The template permits no other words than those of the levels.
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    let libraries = Targets::new().with_default(LevelFilter::WARN).with_target("lambda_runtime", LevelFilter::INFO);
    libraries.with_targets(OURS.map(|name| (name, level)))
}

/// Formats the fields of spans as the library does. But a field that is recorded later is appended: the library parses what the
/// span has and writes it anew, which each record would pay for although it logs nothing.
struct SpanFields;

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        JsonFields::new().format_fields(writer, fields)
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut more = String::new();
        JsonFields::new().format_fields(Writer::new(&mut more), fields)?;
        current.fields = joined(&current.fields, &more);
        Ok(())
    }
}

/// The members of two JSON objects as one object. Of two with the same name, the last one counts.
fn joined(one: &str, other: &str) -> String {
    match (one.strip_suffix('}'), other.strip_prefix('{')) {
        (Some("{"), _) | (None, _) => other.to_owned(),
        (_, Some("}") | None) => one.to_owned(),
        (Some(one), Some(other)) => [one, ",", other].concat(),
    }
}

/// Starts logging to standard output at `level`.
pub fn start(level: &str) {
    let format = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(true).with_span_list(false);
    let format = format.fmt_fields(SpanFields).with_max_level(LevelFilter::TRACE).with_target(false).finish();
    // A second start in one process, as in tests, changes nothing.
    let _ = format.with(targets(level)).try_init();
}

/// Runs a program on Lambda to its end. It logs the reason for the end, and each panic, as JSON at ERROR: at log level
/// WARN, Lambda drops plain text, because that has no level.
pub async fn run(program: impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>>) -> ExitCode {
    panic::set_hook(Box::new(tell_of_panic));
    match program.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log level itself may be missing from the configuration.
            start("INFO");
            error!(error = %ErrorChain(&*error), "a function cannot run");
            ExitCode::FAILURE
        }
    }
}

fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    start("INFO");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    error!(place, panic = message, "a function panicked");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use ports::PortError;
    use serde::de;
    use tracing::Level;

    use super::*;

    #[test]
    fn an_error_is_told_with_all_its_causes() {
        let inner = PortError::transient("asking", "the wire is cut");
        let outer = PortError::permanent("looking", inner);
        assert_eq!(ErrorChain(&outer).to_string(), "looking failed: asking did not work this time: the wire is cut");
    }

    #[test]
    fn an_error_repeats_no_value() {
        let text = r#"["hunter2"]"#;
        let inner =
            "\"hunter2\"".parse::<u64>().map_err(|_| de::Error::invalid_type(de::Unexpected::Str(text), &"a list"));
        let inner: de::value::Error = inner.expect_err("an error");
        let told = ErrorChain(&PortError::permanent("reading", inner)).to_string();
        assert_eq!(told, "reading failed: invalid type: string, expected a list");
    }

    #[test]
    fn a_span_has_what_is_recorded_later_as_well() {
        for (one, other, both) in [
            (r#"{"a":"}"}"#, r#"{"b":"{"}"#, r#"{"a":"}","b":"{"}"#),
            ("{}", r#"{"b":1}"#, r#"{"b":1}"#),
            ("", r#"{"b":1}"#, r#"{"b":1}"#),
            (r#"{"a":1}"#, "{}", r#"{"a":1}"#),
            ("{}", "{}", "{}"),
        ] {
            assert_eq!(joined(one, other), both);
        }
    }

    #[test]
    fn our_crates_follow_the_level_and_libraries_only_warn() {
        let logs = |level, target| {
            let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
            levels.iter().filter(|at| targets(level).would_enable(target, at)).count()
        };
        for (level, ours) in [("WARN", 2), ("INFO", 3), ("DEBUG", 4), ("TRACE", 5)] {
            let counts = ["deliver::attempt", "adapters", "aws_sdk_sqs", "hyper::proto", "lambda_runtime::runtime"];
            assert_eq!(counts.map(|target| logs(level, target)), [ours, ours, 2, 2, 3], "{level}");
        }
    }

    #[test]
    fn every_crate_that_runs_on_lambda_logs_at_the_level() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folders = ["functions", "shared"].map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder"));
        let names = folders.into_iter().flatten().map(|entry| entry.expect("a crate").file_name());
        let crates: BTreeSet<_> = names.map(|name| name.into_string().expect("a name")).collect();
        let ours = OURS.map(ToOwned::to_owned);
        assert_eq!(crates, ours.into_iter().chain(["testing".to_owned()]).collect());
    }
}
