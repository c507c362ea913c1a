//! JSON logs: a message that is understandable on its own, and dotted ids. Healthy deliveries log nothing at INFO.

use std::error::Error;
use std::fmt;

use domain::value::{bounded, json};
use tracing_subscriber::EnvFilter;

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

/// Starts logging to standard output at `level` (`ERROR` to `TRACE`). The SDKs and HTTP libraries stay at WARN.
pub fn start(level: &str) {
    let filter = EnvFilter::new(format!(
        "{level},hyper=warn,hyper_util=warn,rustls=warn,aws_config=warn,aws_smithy_runtime=warn,aws_runtime=warn"
    ));
    let format = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(true).with_span_list(false);
    // A second start in one process, as in tests, changes nothing.
    let _ = format.with_env_filter(filter).with_target(false).try_init();
}

#[cfg(test)]
mod tests {
    use ports::PortError;
    use serde::de;

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
}
