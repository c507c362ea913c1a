//! Batches of messages, as Lambda hands them over, and what a function gives back of one.

use serde_json::json;

use crate::Result;
use crate::world::{BATCH, now_ms};

/// A batch as it is handed over, and its messages.
pub(crate) struct Batch<'m> {
    pub(crate) payload: Vec<u8>,
    pub(crate) messages: &'m [String],
}

pub(crate) fn in_batches(messages: &[String], of: usize) -> Result<Vec<Batch<'_>>> {
    messages.chunks(of).map(|messages| Ok(Batch { payload: batch(messages)?, messages })).collect()
}

/// The same of messages that were received so many times.
pub(crate) fn in_batches_again(messages: &[String], times: usize) -> Result<Vec<Batch<'_>>> {
    messages.chunks(BATCH).map(|messages| Ok(Batch { payload: batch_again(messages, times)?, messages })).collect()
}

/// A batch as Lambda hands it over, of messages that were received for the first time.
pub(crate) fn batch(messages: &[String]) -> Result<Vec<u8>> {
    batch_again(messages, 1)
}

/// A batch of messages that were received so many times.
pub(crate) fn batch_again(messages: &[String], times: usize) -> Result<Vec<u8>> {
    batch_of(messages.iter().map(|body| (body.as_str(), times)))
}

/// A batch of messages, each of which was received so many times.
pub(crate) fn batch_of<'m>(messages: impl Iterator<Item = (&'m str, usize)>) -> Result<Vec<u8>> {
    let at = now_ms().to_string();
    let records = messages.enumerate().map(|(number, (body, times))| {
        json!({
            "messageId": format!("00000000-0000-4000-8000-{number:012}"),
            "receiptHandle": format!("receipt-{number}"),
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": times.to_string(), "SentTimestamp": at, "SenderId": "AIDAEXAMPLE",
                "ApproximateFirstReceiveTimestamp": at
            },
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
            "awsRegion": "us-east-1"
        })
    });
    Ok(serde_json::to_vec(&json!({ "Records": records.collect::<Vec<_>>() }))?)
}

pub(crate) fn mean_length(messages: &[String]) -> f64 {
    messages.iter().map(String::len).sum::<usize>() as f64 / messages.len() as f64
}

/// The messages of a batch that were given back.
pub(crate) fn failed(answer: &[u8], messages: &[String]) -> Result<Vec<String>> {
    let answer: serde_json::Value = serde_json::from_slice(answer)?;
    let failures = answer["batchItemFailures"].as_array().ok_or("an answer without a list of failures")?;
    let number = |id: &str| id.rsplit('-').next().and_then(|number| number.parse::<usize>().ok());
    let message = |failure: &serde_json::Value| {
        let number = failure["itemIdentifier"].as_str().and_then(number);
        number.and_then(|number| messages.get(number)).cloned().ok_or_else(|| format!("{failure} is no record").into())
    };
    failures.iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_back_is_told_by_its_id() {
        let messages = ["a", "b"].map(str::to_owned);
        let answer = |id: &str| format!(r#"{{"batchItemFailures":[{{"itemIdentifier":"{id}"}}]}}"#);
        let given_back = failed(answer("00000000-0000-4000-8000-000000000001").as_bytes(), &messages);
        assert_eq!(given_back.expect("a list"), ["b"]);
        assert!(failed(answer("").as_bytes(), &messages).is_err());
        assert!(failed(b"{}", &messages).is_err());
    }
}
