//! A queue of the deployment, seen from outside: which messages are in it.
//!
//! Messages that a test finds stay there for other tests; only [`Queue::steal`] removes one.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};

use crate::eventually::eventually;
use crate::failure::{OrFailure, Result};

/// How long, in seconds, a message stays hidden after it was looked at, so that the next look finds the ones behind it.
const HIDDEN_AFTER_A_LOOK: i32 = 1;

#[derive(Debug, Clone)]
pub struct Queue {
    sqs: Client,
    url: String,
}

impl Queue {
    pub fn new(sqs: Client, url: &str) -> Self {
        Self { sqs, url: url.to_owned() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn sqs(&self) -> &Client {
        &self.sqs
    }

    /// Sets how long, in seconds, a message waits for its next receive if the process that received it ended early. The
    /// template's 360 s are right for AWS, but too long for a test.
    pub async fn set_visibility_timeout(&self, seconds: u32) -> Result<()> {
        (self.sqs.set_queue_attributes().queue_url(&self.url))
            .attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string())
            .send()
            .await
            .or_failure(|| format!("cannot set the visibility timeout of {}", self.url))?;
        Ok(())
    }

    /// Waits for a message that `wanted` accepts, and returns it with all its attributes. All messages stay in the
    /// queue.
    pub async fn await_message(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message> {
        eventually(&format!("{what} in {}", self.url), limit, async || {
            Ok(self.look().await?.into_iter().find(|message| wanted(message)))
        })
        .await
    }

    /// Removes a message as if it had never been sent. Returns whether there was one.
    pub async fn steal(&self) -> Result<bool> {
        // Long enough to delete it before anybody else receives it, whatever the queue's own timeout is.
        let request = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(1).visibility_timeout(60);
        let answer =
            request.wait_time_seconds(1).send().await.or_failure(|| format!("cannot receive from {}", self.url))?;
        let Some(message) = answer.messages.unwrap_or_default().pop() else { return Ok(false) };
        let delete = self.sqs.delete_message().queue_url(&self.url).set_receipt_handle(message.receipt_handle);
        match delete.send().await {
            Ok(_) => Ok(true),
            // Somebody else received it in the meantime, and has it now.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_receipt_handle_is_invalid()) => {
                Ok(false)
            }
            Err(error) => Err(error).or_failure(|| format!("cannot delete from {}", self.url)),
        }
    }

    async fn look(&self) -> Result<Vec<Message>> {
        let request = (self.sqs.receive_message().queue_url(&self.url))
            .max_number_of_messages(10)
            .visibility_timeout(HIDDEN_AFTER_A_LOOK)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request.send().await.or_failure(|| format!("cannot receive from {}", self.url))?;
        Ok(answer.messages.unwrap_or_default())
    }
}
