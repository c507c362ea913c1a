//! Changes that several callers may make at the same time: what was read is changed, and written only if nobody else
//! has changed it since.

use super::problem::{Code, Problem};

/// How many times a change is attempted.
pub const TRIES: u32 = 5;

/// The detail of a problem when other callers kept changing the same resource.
pub const OTHERS_KEPT_CHANGING: &str = "others kept changing it at the same time; try again";

/// Attempts a change until it is written. `attempt` reads, changes and writes; it returns `None` if somebody else
/// changed the same thing in between. After [`TRIES`] attempts the problem is `unavailable`, with `detail`.
pub async fn retry<Done, Attempt>(detail: &str, attempt: impl Fn() -> Attempt) -> Result<Done, Problem>
where
    Attempt: Future<Output = Result<Option<Done>, Problem>>,
{
    for _ in 0..TRIES {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
    }
    Err(gave_up(detail))
}

/// The problem after the last attempt.
pub fn gave_up(detail: &str) -> Problem {
    Problem::new(Code::Unavailable, detail)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[track_caller]
    fn check(ended: Result<u32, Problem>, expected: Result<u32, Code>) {
        assert_eq!(ended.map_err(|problem| problem.code()), expected);
    }

    async fn written_by(last: u32) -> Result<u32, Problem> {
        let attempts = Cell::new(0);
        let attempt = || async {
            attempts.set(attempts.get() + 1);
            Ok(Some(attempts.get()).filter(|attempt| *attempt == last))
        };
        retry("try again", attempt).await
    }

    #[tokio::test]
    async fn a_change_is_attempted_until_it_is_written_or_others_kept_changing_the_same() {
        check(written_by(1).await, Ok(1));
        check(written_by(TRIES).await, Ok(TRIES));
        check(written_by(TRIES + 1).await, Err(Code::Unavailable));
    }

    #[tokio::test]
    async fn a_problem_ends_the_attempts() {
        let attempts = Cell::new(0);
        let attempt = || async {
            attempts.set(attempts.get() + 1);
            Err(Problem::new(Code::NotFound, "there is no such thing"))
        };
        check(retry("try again", attempt).await, Err(Code::NotFound));
        assert_eq!(attempts.get(), 1);
    }
}
