//! One deployment of the stack on a local AWS, and clients for it. This is what a test starts from.
//!
//! `make test` starts the local AWS, deploys, and passes the deployment to the tests in one environment variable. The
//! value is only a description: dropping it stops nothing.

use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use serde::{Deserialize, Serialize};

use crate::api_client::Operator;
use crate::failure::{OrFailure, Result};
use crate::iam::Iam;
use crate::producer::Producer;
use crate::queue::Queue;
use crate::signed_http::{REGION, SignedHttp, endpoint, root_credentials};

/// The environment variable that carries a deployment, as JSON.
pub const VARIABLE: &str = "SYNCHUB_LOCAL_DEPLOYMENT";

/// The address of the deployed stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    /// The port of the local AWS, on the loopback interface.
    pub port: u16,
    pub outputs: Outputs,
    /// The address of the table, if it is not in the local AWS.
    #[serde(default)]
    table: Option<String>,
}

/// The template's outputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outputs {
    pub alerts_topic_arn: String,
    pub receiver_alerts_topic_arn: String,
    pub work_topic_arn: String,
    pub api_id: String,
    pub api_url: String,
    pub portal_url: String,
    pub events_queue_url: String,
    pub events_dead_letter_queue_url: String,
    pub deliveries_queue_url: String,
    pub deliveries_dead_letter_queue_url: String,
    pub table_name: String,
    pub secrets_key_arn: String,
    pub fanout_function_name: String,
    pub deliver_function_name: String,
    pub api_function_name: String,
    pub portal_function_name: String,
    pub authorizer_function_name: String,
    pub redrive_function_name: String,
}

impl Deployment {
    pub(crate) fn new(port: u16, outputs: Outputs) -> Self {
        Self { port, outputs, table: None }
    }

    /// The same deployment, with its table at another address.
    #[must_use]
    pub fn with_table_at(self, url: String) -> Self {
        Self { table: Some(url), ..self }
    }

    /// The address of DynamoDB.
    pub fn table_url(&self) -> String {
        self.table.clone().unwrap_or_else(|| endpoint(self.port))
    }

    /// The deployment that `local run` made for its child process.
    pub fn from_env() -> Result<Self> {
        let text = std::env::var(VARIABLE).or_failure(|| "no deployment to test against: run `make test`")?;
        serde_json::from_str(&text).or_failure(|| format!("{VARIABLE} holds no deployment: run `make test`"))
    }

    /// The environment in which [`Deployment::from_env`], the AWS SDKs and `aws` all find this deployment.
    pub fn environment(&self) -> Result<Vec<(&'static str, String)>> {
        let text = serde_json::to_string(self).or_failure(|| "cannot describe the deployment")?;
        let mut variables = aws_environment(self.port);
        variables.push((VARIABLE, text));
        Ok(variables)
    }

    /// The API's address, without a slash at the end.
    pub fn api_url(&self) -> String {
        format!("http://{}:{}", self.api_host(), self.port)
    }

    fn api_host(&self) -> String {
        format!("{}.execute-api.localhost", self.outputs.api_id)
    }

    /// An HTTP client with the credentials of the root user, who may do everything.
    pub fn http(&self) -> Result<SignedHttp> {
        SignedHttp::new(&self.api_host(), self.port)
    }

    /// A client of the API for the platform's operator.
    pub fn operator(&self) -> Result<Operator> {
        Ok(Operator::new(self.http()?, self.api_url()))
    }

    /// A client of IAM: users, roles and their permissions.
    pub fn iam(&self) -> Result<Iam> {
        Ok(Iam::new(self.http()?, self.port))
    }

    /// A producer that pushes events as a sync job does.
    pub fn producer(&self) -> Producer {
        Producer::new(self.events_queue())
    }

    pub fn events_queue(&self) -> Queue {
        Queue::new(self.sqs(), &self.outputs.events_queue_url)
    }

    pub fn deliveries_queue(&self) -> Queue {
        Queue::new(self.sqs(), &self.outputs.deliveries_queue_url)
    }

    pub fn deliveries_dead_letter_queue(&self) -> Queue {
        Queue::new(self.sqs(), &self.outputs.deliveries_dead_letter_queue_url)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk_config())
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.table_config())
    }

    /// The configuration of SDK clients of the table.
    pub fn table_config(&self) -> SdkConfig {
        self.sdk_config().into_builder().endpoint_url(self.table_url()).build()
    }

    /// The configuration of every SDK client of the local AWS. This machine's own AWS settings are ignored.
    pub fn sdk_config(&self) -> SdkConfig {
        let http_client =
            aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(endpoint(self.port))
            .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(root_credentials()))
            .http_client(http_client)
            .build()
    }
}

/// The environment in which the AWS SDKs and command line tools talk only to a local AWS.
pub fn aws_environment(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint(port)),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
    ]
}
