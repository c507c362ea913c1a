//! The only error type of the harness: a sentence that says what failed, and the cause.
//!
//! It has no kinds, because no code handles these errors: people read them. A result that a test checks is a value
//! instead, such as [`crate::api_client::Reply`].

use std::error::Error;
use std::fmt;

pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// What failed. `Debug` shows the whole chain of causes, because that is what a failing test prints.
pub struct Failure {
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Adds to an error what failed because of it: `read(path).or_failure(|| format!("cannot read {path}"))?`.
pub trait OrFailure<T> {
    fn or_failure<W: Into<String>>(self, what: impl FnOnce() -> W) -> Result<T>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFailure<T> for Result<T, E> {
    fn or_failure<W: Into<String>>(self, what: impl FnOnce() -> W) -> Result<T> {
        self.map_err(|error| Failure { what: what().into(), cause: Some(error.into()) })
    }
}

impl<T> OrFailure<T> for Option<T> {
    fn or_failure<W: Into<String>>(self, what: impl FnOnce() -> W) -> Result<T> {
        self.ok_or_else(|| Failure::new(what()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_test_prints_every_cause() {
        let result: Result<()> = Err(Failure::new("connection refused"))
            .or_failure(|| "cannot create the bucket")
            .or_failure(|| "cannot deploy");
        let failure = result.expect_err("a failure");
        assert_eq!(failure.to_string(), "cannot deploy");
        assert_eq!(format!("{failure:?}"), "cannot deploy: cannot create the bucket: connection refused");
    }
}
