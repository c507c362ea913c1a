//! Waits for something that sends no notification, such as an empty queue, by asking again and again.
//!
//! Arriving requests do send one, see [`crate::receiver::Receiver::await_requests`]. Tests never sleep for a fixed
//! time: every wait ends as soon as it can, and a wait that fails says what it was waiting for.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Result};

const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);

/// Asks `question` until it answers `Some`. Fails after `limit`, naming `what`; a failing question ends the wait at
/// once.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut question: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = question().await? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            return Err(Failure::new(format!("waited {} s in vain for {what}", limit.as_secs_f32())));
        }
        sleep(BETWEEN_QUESTIONS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_with_the_first_answer_and_names_what_never_came() {
        let mut questions = 0;
        let answer = eventually("the third question", Duration::from_secs(5), async || {
            questions += 1;
            Ok((questions == 3).then_some(questions))
        });
        assert_eq!(answer.await.expect("an answer"), 3);

        let nothing = eventually::<()>("rain", Duration::ZERO, async || Ok(None)).await;
        assert_eq!(nothing.expect_err("no answer").to_string(), "waited 0 s in vain for rain");
    }
}
