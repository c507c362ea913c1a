//! The topic for alerts, to which people subscribe by mail or in other ways.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use domain::operational::Alert;
use ports::{Alerts, PortResult};

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
