//! Plain HTTP to a local AWS, with AWS's request signature (SigV4), for calls without an SDK: the API's operator
//! routes, and a few calls of the deployment.
//!
//! It uses no proxy, follows no redirect, and calls loopback addresses only.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{Request, Response};

use crate::failure::{OrFailure, Result};

/// The region of everything on the local AWS.
pub const REGION: &str = "us-east-1";

/// The address of a local AWS.
pub fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The credentials of the root user. For this key, the local AWS accepts no other secret.
pub fn root_credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "local AWS")
}

/// The base of every HTTP client of the harness: without proxies and redirects.
pub fn loopback_client() -> reqwest::ClientBuilder {
    // This fails if a provider is already installed, which is fine. The client needs one, although nothing uses TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none())
}

/// The time limit of any call: a function may run for 60 s, and takes a moment to start.
const LONGEST: Duration = Duration::from_secs(90);

/// An HTTP client for one local AWS.
#[derive(Debug, Clone)]
pub struct SignedHttp {
    client: reqwest::Client,
    credentials: Credentials,
}

impl SignedHttp {
    /// A client that resolves `host` to the loopback interface, at `port`.
    ///
    /// Names below `localhost` are loopback by definition, but not every system's resolver knows that.
    pub fn new(host: &str, port: u16) -> Result<Self> {
        let client = loopback_client()
            .timeout(LONGEST)
            .resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .build()
            .or_failure(|| "cannot build an HTTP client")?;
        Ok(Self { client, credentials: root_credentials() })
    }

    /// The same client with other credentials.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let what = format!("{} {}", request.method(), request.uri());
        let request = reqwest::Request::try_from(request).or_failure(|| format!("{what} is not a request"))?;
        let response = self.client.execute(request).await.or_failure(|| format!("{what} failed"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.or_failure(|| format!("{what}: cannot read the answer"))?;
        let mut response = Response::new(body.to_vec());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Signs a request for `service`, such as `execute-api`, and sends it.
    pub async fn send_signed(&self, service: &str, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        self.send(self.signed(service, request, SystemTime::now())?).await
    }

    fn signed(&self, service: &str, mut request: Request<Vec<u8>>, now: SystemTime) -> Result<Request<Vec<u8>>> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .or_failure(|| "cannot sign without all parameters")?;
        let uri = request.uri().to_string();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new(request.method().as_str(), &uri, headers, SignableBody::Bytes(request.body()))
                .or_failure(|| format!("cannot sign a request to {uri}"))?;
        let (instructions, _) =
            sign(signable, &parameters.into()).or_failure(|| format!("cannot sign a request to {uri}"))?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
