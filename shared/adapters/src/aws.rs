//! The SDK clients, built once per cold start over one TLS stack, and the meaning of their errors.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use ports::PortError;

/// The shared configuration of all AWS clients, from which a client is cheap to make.
#[derive(Debug)]
pub struct AwsClients {
    config: SdkConfig,
}

/// How long one call may take, including all its retries.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

impl AwsClients {
    /// Region, credentials and endpoints come from the environment that Lambda sets.
    pub async fn from_env() -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder().operation_timeout(OPERATION_TIMEOUT).build();
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts);
        Self { config: loader.load().await }
    }

    /// For tests that bring their own configuration.
    pub fn from_config(config: SdkConfig) -> Self {
        Self { config }
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    pub(super) fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }

    pub(super) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    pub(super) fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config)
    }
}

/// Error codes that come with status 400 although trying again helps.
const THROTTLES: [&str; 7] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "RequestThrottled",
    "LimitExceededException",
    "TransactionInProgressException",
];

/// Classifies an SDK error: what the service refuses for good is permanent, everything else may work next time.
pub(super) fn port_error<E>(doing: &'static str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let refused = match &error {
        SdkError::ServiceError(service) => {
            let throttled = service.err().code().is_some_and(|code| THROTTLES.contains(&code));
            service.raw().status().is_client_error() && !throttled
        }
        SdkError::ConstructionFailure(_) => true,
        _ => false,
    };
    if refused { PortError::permanent(doing, error) } else { PortError::transient(doing, error) }
}

/// A request that the SDK refuses to build, which is a bug of ours.
pub(super) fn build_error(error: aws_sdk_dynamodb::error::BuildError) -> PortError {
    PortError::permanent("building a request", error)
}
