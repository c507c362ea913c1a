//! The real answers to the ports. The only place that knows the SDKs and the HTTP client; rules live in
//! [`crate::domain`].

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod dynamodb;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "aws")]
mod kms;
#[cfg(feature = "aws")]
mod sns;
#[cfg(feature = "aws")]
mod sqs;
mod system;

#[cfg(feature = "aws")]
pub use aws::AwsClients;
#[cfg(feature = "aws")]
pub use dynamodb::DynamoStore;
#[cfg(feature = "http")]
pub use http::ReqwestSender;
#[cfg(feature = "aws")]
pub use kms::KmsVault;
#[cfg(feature = "aws")]
pub use sns::SnsAlerts;
#[cfg(feature = "aws")]
pub use sqs::{SqsDeliveryQueue, SqsEventQueue, SqsRejectedEvents};
pub use system::{SystemClock, SystemEntropy, SystemHosts};
