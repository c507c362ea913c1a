//! What `api`, `portal` and `authorizer` need their permissions for: requests that are answered with 5xx while one is
//! missing, and carried out when it is back.

use std::time::Duration;

use harness::api_client::NewSubscription;
use harness::failure::OrFailure;
use harness::producer::fresh_sample;
use harness::signed_http::SignedHttp;
use harness::unique::unique;
use harness::{Deployment, Failure, Result};
use http::{Method, Request};
use serde_json::{Value, json};
use tests::world::World;

use crate::queues::SAMPLE;
use crate::trial::{SOON, Trial};

/// For this long `fanout` may remember that nobody listened.
const REMEMBERED: Duration = Duration::from_secs(6);

/// An account with one of everything, and a visitor of its page.
pub struct Shop {
    pub world: World,
    destination: String,
    subscription: String,
    /// Subscriptions that may be deleted.
    spare: [String; 2],
    /// Events from before there were subscriptions.
    unowed: [String; 2],
    /// Deliveries that were made.
    deliveries: [String; 2],
    visitor: Visitor,
}

/// One request.
pub enum Ask {
    /// By the account, with its key.
    Api(Method, String, Option<Value>),
    /// By the operator.
    Operator(Method, String, Option<Value>),
    /// By the page's visitor: a page, or a form with these fields.
    Page(String),
    Form(String, Vec<(&'static str, String)>),
    /// By a visitor of its own: leaves the page.
    SignOut(Visitor),
}

impl Shop {
    pub async fn open() -> Result<Self> {
        let world = World::new("shop").await?;
        let unowed = [world.push(SAMPLE).await?, world.push(SAMPLE).await?];
        world.await_list("/v1/events", 2, SOON).await?;
        let destination = world.destination_at("/shop").await?.id;
        let mut subscriptions = Vec::new();
        for path in ["/a", "/b", "/c"] {
            let wanted = NewSubscription::to_everything(&destination).path(path);
            subscriptions.push(world.customer.subscribe(&wanted).await?);
        }
        tokio::time::sleep(REMEMBERED).await;
        world.push(SAMPLE).await?;
        let deliveries = world.await_list("/v1/deliveries?status=delivered", 3, SOON).await?;
        let mut subscriptions = subscriptions.into_iter();
        let mut next = || subscriptions.next().unwrap_or_default();
        let visitor = Visitor::of(&world).await?;
        Ok(Self {
            destination,
            subscription: next(),
            spare: [next(), next()],
            unowed,
            deliveries: [0, 1].map(|n| deliveries[n]["id"].as_str().unwrap_or_default().to_owned()),
            visitor,
            world,
        })
    }

    async fn send(&self, ask: &Ask) -> Result<(u16, String)> {
        let reply = match ask {
            Ask::Api(method, path, body) => self.world.customer.call(method.clone(), path, body.as_ref()).await?,
            Ask::Operator(method, path, body) => self.world.operator.call(method.clone(), path, body.as_ref()).await?,
            Ask::Page(path) => return self.visitor.send(Method::GET, path, &[]).await,
            Ask::Form(path, fields) => return self.visitor.send(Method::POST, path, fields).await,
            Ask::SignOut(visitor) => return visitor.send(Method::POST, "/sign-out", &[]).await,
        };
        Ok((reply.status, reply.body.to_string()))
    }

    /// The request that needs an action of the API.
    pub fn of_api(&self, action: &str, on: &str) -> Result<Option<Ask>> {
        let get = |path: String| Some(Ask::Api(Method::GET, path, None));
        let post = |path: String, body: Option<Value>| Some(Ask::Api(Method::POST, path, body));
        let (destination, subscription, account) =
            (&self.destination, &self.subscription, self.world.customer.account());
        let keys = format!("/admin/v1/accounts/{account}/keys");
        let (deleted, replayed, sent) = (&self.spare[0], &self.unowed[0], &self.deliveries[0]);
        Ok(match (action, on) {
            ("dynamodb:GetItem", "table") => get(format!("/v1/subscriptions/{subscription}")),
            ("dynamodb:BatchGetItem", "table") => get(format!("/v1/destinations/{destination}")),
            ("dynamodb:Query", "table") => get("/v1/subscriptions".to_owned()),
            ("dynamodb:Query", "index/events-by-account") => get("/v1/events".to_owned()),
            ("dynamodb:PutItem" | "dynamodb:UpdateItem", "table")
            | ("kms:GenerateDataKeyWithoutPlaintext" | "kms:Decrypt", "key") => {
                let wanted = json!({"name": unique("created"), "url": self.world.receiver.url("/created")});
                post("/v1/destinations".to_owned(), Some(wanted))
            }
            ("dynamodb:PartiQLInsert", "table") => post(format!("/v1/events/{replayed}/replay"), None),
            ("dynamodb:DeleteItem", "table") => {
                Some(Ask::Api(Method::DELETE, format!("/v1/subscriptions/{deleted}"), None))
            }
            ("dynamodb:ConditionCheckItem", "table") => {
                Some(Ask::Operator(Method::POST, keys, Some(json!({"name": "another", "role": "viewer"}))))
            }
            ("sqs:SendMessage", "events") => post("/v1/events".to_owned(), Some(posted(account)?)),
            ("sqs:SendMessage", "deliveries") => post(format!("/v1/deliveries/{sent}/resend"), None),
            _ => None,
        })
    }

    /// The request that needs an action of the page, with the API inside.
    pub async fn of_page(&self, action: &str, on: &str) -> Result<Option<Ask>> {
        let page = |path: String| Some(Ask::Page(path));
        let form = |path: String| Some(Ask::Form(path, Vec::new()));
        let (destination, subscription) = (&self.destination, &self.subscription);
        let (deleted, replayed, sent) = (&self.spare[1], &self.unowed[1], &self.deliveries[1]);
        Ok(match (action, on) {
            ("dynamodb:GetItem", "table") => page(format!("/subscriptions/{subscription}")),
            ("dynamodb:BatchGetItem", "table") => page(format!("/destinations/{destination}")),
            ("dynamodb:Query", "table") => page("/subscriptions".to_owned()),
            ("dynamodb:Query", "index/events-by-account") => page("/events".to_owned()),
            ("dynamodb:PutItem", "table") => {
                let fields = vec![("span", "day".to_owned()), ("status", "exhausted".to_owned())];
                Some(Ask::Form(format!("/destinations/{destination}/recover"), fields))
            }
            ("dynamodb:UpdateItem", "table") => Some(Ask::SignOut(Visitor::of(&self.world).await?)),
            ("dynamodb:PartiQLInsert", "table") => form(format!("/events/{replayed}/replay")),
            ("dynamodb:DeleteItem", "table") => form(format!("/subscriptions/{deleted}/delete")),
            ("sqs:SendMessage", "deliveries") => form(format!("/deliveries/{sent}/resend")),
            ("kms:GenerateDataKeyWithoutPlaintext" | "kms:Decrypt", "key") => {
                let found = self.world.customer.get(&format!("/v1/destinations/{destination}")).await?;
                let etag = found.headers.get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default();
                let fields = vec![("overlap_seconds", "60".to_owned()), ("etag", etag.to_owned())];
                Some(Ask::Form(format!("/destinations/{destination}/rotate"), fields))
            }
            _ => None,
        })
    }
}

/// A sample as a producer posts it: the account is that of the key.
fn posted(account: &str) -> Result<Value> {
    let mut event = fresh_sample(SAMPLE, account)?;
    event.as_object_mut().and_then(|event| event.remove("account"));
    Ok(event)
}

/// The request is answered with 5xx, and carried out when the permission is back.
pub async fn request(trial: &Trial<'_>, ask: Ask) -> Result<()> {
    let (shop, action) = (&trial.bench.shop, trial.permission.action.as_str());
    if action == "kms:GenerateDataKeyWithoutPlaintext" {
        forget_data_key(&trial.bench.deployment).await?;
    }
    trial.take_away().await?;
    if action == "kms:Decrypt" {
        trial.restart().await?;
    }
    let (status, text) = shop.send(&ask).await?;
    if status < 500 {
        return Err(Failure::new(format!("without {}, a request is answered {status}: {text}", trial.permission)));
    }
    trial.await_denial().await?;
    trial.put_back().await?;
    let (status, text) = shop.send(&ask).await?;
    if status >= 400 {
        return Err(Failure::new(format!("with {} again, a request is answered {status}: {text}", trial.permission)));
    }
    Ok(())
}

/// The next secret is sealed with a new data key. Those that were sealed before keep theirs.
async fn forget_data_key(deployment: &Deployment) -> Result<()> {
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let delete = deployment.dynamodb().delete_item().table_name(&deployment.outputs.table_name);
    let delete = delete.key("pk", text("DATA_KEY")).key("sk", text("CURRENT"));
    delete.send().await.map(drop).or_failure(|| "cannot delete a row")
}

/// A request with a key that the authorizer has not seen yet.
pub async fn fresh_key(trial: &Trial<'_>) -> Result<()> {
    let world = &trial.bench.shop.world;
    let body = json!({"name": unique("fresh"), "role": "viewer"});
    let path = format!("/admin/v1/accounts/{}/keys", world.customer.account());
    let key = world.operator.call(Method::POST, &path, Some(&body)).await?.expect_status(201)?;
    let customer = world.customer.clone().with_key(key["key"].as_str().unwrap_or_default());
    trial.take_away().await?;
    customer.get("/v1/subscriptions").await?;
    trial.await_denial().await?;
    trial.put_back().await?;
    customer.get("/v1/subscriptions").await?.expect_status(200).map(drop)
}

/// Somebody with a page session, as a browser sends requests.
pub struct Visitor {
    http: SignedHttp,
    url: String,
    account: String,
    cookie: String,
}

impl Visitor {
    async fn of(world: &World) -> Result<Self> {
        let link = world.link(json!({"role": "admin"})).await?;
        let token = link.rsplit('#').next().unwrap_or_default();
        let (http, url) = (world.deployment.http()?, world.deployment.api_url());
        let visitor = Self { http, url, account: String::new(), cookie: String::new() };
        let opened = visitor.http.send(visitor.request(Method::POST, "/open", &[("token", token.to_owned())])?).await?;
        let cookie = opened.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.or_failure(|| format!("the link was answered {}", opened.status()))?.to_owned();
        Ok(Self { cookie, account: world.customer.account().to_owned(), ..visitor })
    }

    async fn send(&self, method: Method, path: &str, fields: &[(&str, String)]) -> Result<(u16, String)> {
        let response = self.http.send(self.request(method, path, fields)?).await?;
        Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
    }

    fn request(&self, method: Method, path: &str, fields: &[(&str, String)]) -> Result<Request<Vec<u8>>> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let sender = if method == Method::GET { String::new() } else { format!("?account={}", self.account) };
        let request = Request::builder().method(method).uri(format!("{}{path}{sender}", self.url));
        let request = request.header("cookie", &self.cookie).header("sec-fetch-site", "same-origin");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(form.into_bytes()).or_failure(|| format!("{path} makes no request"))
    }
}
