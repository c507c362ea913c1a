//! A person who is signed in to the page of an account.

use std::net::{Ipv4Addr, SocketAddr};

use harness::api_client::Customer;
use harness::failure::OrFailure;
use harness::signed_http::loopback_client;
use harness::{Deployment, Result};
use reqwest::Response;
use serde_json::json;

pub(crate) struct Visitor {
    http: reqwest::Client,
    origin: String,
    cookie: String,
}

impl Visitor {
    /// Opens a link as an admin.
    pub(crate) async fn of(deployment: &Deployment, customer: &Customer) -> Result<Self> {
        let link = deployment.operator()?.offer_session(customer.account(), &json!({"role": "admin"})).await?;
        let (address, token) = link.split_once('#').or_failure(|| "a link without a token")?;
        let origin = address.trim_end_matches("/open").to_owned();
        let host = origin.trim_start_matches("http://").split(':').next().unwrap_or_default().to_owned();
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, deployment.port));
        let http = loopback_client().resolve(&host, local).build().or_failure(|| "cannot build a client")?;
        let form = format!("token={token}");
        let opened = http.post(address).header("sec-fetch-site", "same-origin");
        let opened = opened.header("content-type", "application/x-www-form-urlencoded").body(form).send().await;
        let opened = opened.or_failure(|| "cannot open a link")?;
        let cookie = opened.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).or_failure(|| "no session was opened")?;
        Ok(Self { http, origin, cookie: cookie.to_owned() })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Response> {
        let request = self.http.get(format!("{}{path}", self.origin)).header("cookie", &self.cookie);
        let answer = request.header("sec-fetch-site", "same-origin").send().await;
        answer.and_then(Response::error_for_status).or_failure(|| format!("cannot get {path}"))
    }
}
