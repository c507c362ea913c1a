//! The SDK clients, built once per cold start over one TLS stack, and the meaning of their errors.
//!
//! Invariant: a call that is never answered is made again after 1.5 s and fails within 4.5 s, which is less than any
//! function may run (tests: `a_call_that_is_never_answered_is_made_again_and_fails_in_time`).

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

/// How long one attempt of a call may take, from looking the service's name up to the end of its answer. Calls take
/// milliseconds, and the longest ones, of 1 MiB, a few hundred.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a call may take with all its attempts. The shortest function, `authorizer`, may run for 5 s.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(4_500);
/// The same where an emulator stands for AWS: on a machine that is busy it takes seconds for what AWS does in milliseconds,
/// and calls that are made again would only make it slower.
const EMULATED_TIMEOUT: Duration = Duration::from_secs(10);

impl AwsClients {
    /// Region, credentials and endpoints come from the environment that Lambda sets.
    pub async fn from_env() -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        // On AWS nobody sets `AWS_ENDPOINT_URL`.
        match config.endpoint_url() {
            None => Self::from_config(config),
            Some(_) => Self::timed(config, EMULATED_TIMEOUT, EMULATED_TIMEOUT),
        }
    }

    /// The clients of this configuration, with our time-outs.
    pub fn from_config(config: SdkConfig) -> Self {
        Self::timed(config, ATTEMPT_TIMEOUT, OPERATION_TIMEOUT)
    }

    fn timed(config: SdkConfig, attempt: Duration, operation: Duration) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(operation).build();
        Self { config: config.into_builder().timeout_config(timeouts).build() }
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use aws_sdk_dynamodb::config::{Credentials, Region, SharedCredentialsProvider};
    use tokio::time::Instant;

    use super::*;

    /// Clients of a service that accepts connections and never answers.
    fn clients(silent: &TcpListener) -> AwsClients {
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(format!("http://{}", silent.local_addr().expect("an address")))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Builder::new().build_http());
        AwsClients::from_config(config.build())
    }

    /// The clock is paused, and runs ahead while everybody waits.
    #[track_caller]
    fn check<T: std::fmt::Debug, E>(started: Instant, result: Result<T, SdkError<E, HttpResponse>>)
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let took = started.elapsed();
        let error = port_error("calling", result.expect_err("nobody answers"));
        assert!(matches!(error, PortError::Transient { .. }), "{error:?}");
        assert!(took > ATTEMPT_TIMEOUT * 2, "made once only: {took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_never_answered_is_made_again_and_fails_in_time() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let clients = clients(&silent);
        let started = Instant::now();
        check(started, clients.dynamodb().list_tables().send().await);
        let started = Instant::now();
        check(started, clients.sqs().list_queues().send().await);
        let started = Instant::now();
        check(started, clients.kms().list_keys().send().await);
        let started = Instant::now();
        check(started, clients.sns().list_topics().send().await);
    }
}
