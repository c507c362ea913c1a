//! The stack under a public address: with a custom domain, and behind a proxy that writes another `Host` into requests, as
//! CloudFront does. It has a stack of its own beside the deployment of the other tests.
//!
//! The local AWS keeps custom domains, but does not answer under them, so only what the stack makes of the name is tested.

mod proxy;

use harness::deploy::{delete_beside, deploy_beside};
use harness::failure::OrFailure;
use harness::receiver::Receiver;
use harness::{Deployment, Result};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::proxy::{Proxy, Reserved};

/// The name of the stack.
const STACK: &str = "under-a-domain";
/// The custom domain of the API.
const DOMAIN: &str = "api.webhooks.example";
/// The name of the proxy in front of it.
const NAME: &str = "webhooks.example";
const CERTIFICATE: &str = "arn:aws:acm:us-east-1:000000000000:certificate/11111111-2222-3333-4444-555555555555";

#[tokio::test]
async fn a_public_address_is_followed_everywhere() -> Result<()> {
    let first = Deployment::from_env()?;
    let domain = [("DomainName", DOMAIN), ("CertificateArn", CERTIFICATE), ("ApiMemory", "512")];
    let under_domain = deploy_beside(&first, STACK, &domain).await?;
    links_lead_to_the_domain(&under_domain).await?;

    // The same stack again, with a proxy in front of the domain.
    let proxy = Reserved::new(NAME).await?;
    let deployment = deploy_beside(&first, STACK, &[("PublicUrl", &proxy.url()?)]).await?;
    let proxy = proxy.serve(&deployment.api_url())?;
    assert_eq!(deployment.outputs.portal_url, proxy.url());
    let operator = deployment.operator()?;
    let customer = operator.register("behind").await?;
    the_page_works_behind(&proxy, &operator.offer_session("behind", &json!({})).await?).await?;
    the_api_works_behind(&proxy, customer.key()).await?;
    own_hosts_are_no_destinations(&deployment, &proxy, customer.key()).await?;
    delete_beside(&first, STACK).await
}

async fn links_lead_to_the_domain(deployment: &Deployment) -> Result<()> {
    let operator = deployment.operator()?;
    operator.register("domain").await?;
    let link = operator.offer_session("domain", &json!({})).await?;
    assert!(link.starts_with(&format!("https://{DOMAIN}/open#")), "{link}");
    assert_eq!(deployment.outputs.portal_url, format!("https://{DOMAIN}"));
    Ok(())
}

/// Opens a link and sends a form, as a browser does that knows only the proxy.
async fn the_page_works_behind(proxy: &Proxy, link: &str) -> Result<()> {
    let token =
        link.strip_prefix(&format!("{}/open#", proxy.url())).or_failure(|| format!("{link} leads elsewhere"))?;
    assert_eq!(ask(proxy, Method::GET, "/open", &[], "").await?.0, StatusCode::OK);

    // Links are opened by a form of the page; so are all changes. Older browsers name only the origin.
    let form = format!("token={token}");
    let typed = ("content-type", "application/x-www-form-urlencoded");
    for elsewhere in [format!("https://{DOMAIN}"), "https://evil.example".to_owned(), "null".to_owned()] {
        let (status, ..) = ask(proxy, Method::POST, "/open", &[typed, ("origin", &elsewhere)], &form).await?;
        assert_eq!(status, StatusCode::FORBIDDEN, "a form from {elsewhere}");
    }
    let (status, headers, _) = ask(proxy, Method::POST, "/open", &[typed, ("origin", proxy.url())], &form).await?;
    assert_eq!(status, StatusCode::SEE_OTHER);
    // A redirect to a path stays at the address that the browser knows.
    assert_eq!(headers[header::LOCATION], "/configure");
    let cookie = headers[header::SET_COOKIE].to_str().or_failure(|| "no cookie")?;
    assert!(cookie.starts_with("__Host-synchub=") && !cookie.to_lowercase().contains("domain="), "{cookie}");
    let cookie = ("cookie", cookie.split(';').next().unwrap_or_default());

    let (status, _, page) = ask(proxy, Method::GET, "/configure", &[cookie], "").await?;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("execute-api") && !page.contains(DOMAIN), "the page names the API's own address");
    let browser = [cookie, ("sec-fetch-site", "same-origin"), ("origin", proxy.url())];
    assert_eq!(ask(proxy, Method::POST, "/sign-out?account=behind", &browser, "").await?.0, StatusCode::OK);
    assert_eq!(ask(proxy, Method::GET, "/configure", &[cookie], "").await?.0, StatusCode::UNAUTHORIZED);
    Ok(())
}

async fn the_api_works_behind(proxy: &Proxy, key: &str) -> Result<()> {
    let (status, _, document) = ask(proxy, Method::GET, "/v1/openapi.json", &[], "").await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(json_of(&document)?["servers"][0]["url"], proxy.url());
    assert_eq!(ask(proxy, Method::GET, "/v1/destinations", &[], "").await?.0, StatusCode::UNAUTHORIZED);
    let receiver = Receiver::start().await?;
    let (status, body) = create(proxy, key, "Receiver", &receiver.url("/behind")).await?;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    Ok(())
}

/// Under none of its names may the system be made to call itself.
async fn own_hosts_are_no_destinations(deployment: &Deployment, proxy: &Proxy, key: &str) -> Result<()> {
    let own = format!("https://{}.execute-api.us-east-1.amazonaws.com", deployment.outputs.api_id);
    for (number, host) in [own, format!("https://{DOMAIN}"), proxy.url().to_owned()].iter().enumerate() {
        let (status, body) = create(proxy, key, &format!("Own {number}"), &format!("{host}/v1/events")).await?;
        assert_eq!(
            (status, body["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("blocked_address")),
            "{host}: {body}"
        );
    }
    Ok(())
}

async fn create(proxy: &Proxy, key: &str, name: &str, url: &str) -> Result<(StatusCode, Value)> {
    let (key, body) = (format!("Bearer {key}"), json!({"name": name, "url": url}).to_string());
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let (status, _, answer) = ask(proxy, Method::POST, "/v1/destinations", &headers, &body).await?;
    Ok((status, json_of(&answer)?))
}

/// Sends a request through the proxy.
async fn ask(
    proxy: &Proxy,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(StatusCode, HeaderMap, String)> {
    let request = proxy.client().request(method, format!("{}{path}", proxy.url())).body(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = request.send().await.or_failure(|| format!("{path} failed"))?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok((status, headers, answer.text().await.or_failure(|| format!("{path} has no text"))?))
}

fn json_of(text: &str) -> Result<Value> {
    serde_json::from_str(text).or_failure(|| format!("this is no JSON: {text}"))
}
