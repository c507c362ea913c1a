//! The topic for alerts, which people subscribe to by e-mail or in other ways, and the topic for units of work, which a
//! function subscribes to.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use domain::operational::Alert;
use ports::{Alerts, HandOut, PortError, PortResult};

use super::aws::{AwsClients, build_error, port_error};

pub struct SnsAlerts {
    client: Client,
    topic: String,
}

impl SnsAlerts {
    /// `topic` is its ARN.
    pub fn new(aws: &AwsClients, topic: String) -> Self {
        Self { client: aws.sns(), topic }
    }
}

fn attribute(text: &str) -> PortResult<MessageAttributeValue> {
    MessageAttributeValue::builder().data_type("String").string_value(text).build().map_err(build_error)
}

#[async_trait]
impl Alerts for SnsAlerts {
    async fn publish(&self, alert: &Alert) -> PortResult<()> {
        let call = self.client.publish().topic_arn(&self.topic).subject(&alert.subject).message(&alert.text);
        let call = call.message_attributes("event_type", attribute(alert.event_type)?);
        let call = call.message_attributes("account_id", attribute(alert.account.as_str())?);
        let call = call.message_attributes("destination_id", attribute(alert.destination.as_str())?);
        call.send().await.map(|_| ()).map_err(|error| port_error("publishing an alert", error))
    }
}

/// How many messages the service takes at once.
const BATCH: usize = 10;

/// Hands work to other instances of the function that is subscribed to a topic.
pub struct SnsHandOut {
    client: Client,
    topic: String,
}

impl SnsHandOut {
    /// `topic` is its ARN.
    pub fn new(aws: &AwsClients, topic: String) -> Self {
        Self { client: aws.sns(), topic }
    }
}

#[async_trait]
impl HandOut for SnsHandOut {
    async fn hand_out(&self, units: &[String]) -> PortResult<()> {
        let mut refused = 0;
        for batch in units.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(n, unit)| {
                PublishBatchRequestEntry::builder().id(n.to_string()).message(unit).build().map_err(build_error)
            });
            let entries = entries.collect::<PortResult<Vec<_>>>()?;
            let call = self.client.publish_batch().topic_arn(&self.topic);
            let call = call.set_publish_batch_request_entries(Some(entries)).send().await;
            refused += call.map_err(|error| port_error("handing out work", error))?.failed().len();
        }
        match refused {
            0 => Ok(()),
            refused => Err(PortError::transient("handing out work", format!("{refused} units were refused"))),
        }
    }
}
