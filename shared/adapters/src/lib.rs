//! The ports, implemented with AWS and HTTP. This is the only deployed crate that knows the SDKs and the HTTP client.
//! The rules are in [`domain`].

mod aws;
mod dynamodb;
mod gather;
mod http;
mod kms;
#[cfg(test)]
mod scripted;
mod sns;
mod sqs;
mod system;
mod under_way;

pub use aws::AwsClients;
pub use dynamodb::DynamoStore;
pub use http::HyperSender;
pub use kms::KmsVault;
pub use sns::{SnsAlerts, SnsHandOut};
pub use sqs::{SqsDeliveryQueue, SqsEventQueue};
pub use system::{SystemClock, SystemEntropy, SystemHosts};
pub use under_way::Counted;
