//! Requests to `api` and to `portal`: for each, ten that are used most, in an account with some events and deliveries. The
//! instance is warm, and the stand-in answers at once.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::account::Account;
use crate::batches::in_batches;
use crate::lambda::{Answered, Function, reply};
use crate::load::run;
use crate::stats::median;
use crate::world::{BATCH, World, sample};

const HORIZON_SECONDS: u32 = 3_600;
/// Ten destinations get each.
const EVENTS: usize = 400;
/// Requests of a sample, and samples with the one for practice.
const REQUESTS: usize = 20;
const SAMPLES: usize = 6;
const SETTLING: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Requested {
    pub(crate) function: &'static str,
    pub(crate) what: String,
    /// Milliseconds of a processor for a request.
    pub(crate) cpu_ms: f64,
    pub(crate) calls: f64,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
    pub(crate) answer_bytes: f64,
}

/// A request, by what of the account it names.
struct Asked {
    what: &'static str,
    method: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    body: fn(&Known, usize) -> Option<Value>,
}

/// What there is in the account.
struct Known {
    destination: String,
    delivery: String,
    event: String,
}

fn get(what: &'static str, path: impl Into<String>) -> Asked {
    Asked { what, method: "GET", path: path.into(), query: Vec::new(), body: |_, _| None }
}

fn of_api(known: &Known) -> Vec<Asked> {
    let Known { destination, delivery, event } = known;
    let post = |what, path: &str, body| Asked { method: "POST", body, ..get(what, path) };
    let query = vec![("destination_id", destination.clone())];
    vec![
        post("post an event", "/v1/events", |_, _| event_body().ok()),
        get("list destinations", "/v1/destinations"),
        get("read a destination", format!("/v1/destinations/{destination}")),
        get("read its statistics", format!("/v1/destinations/{destination}/stats")),
        post("create a subscription", "/v1/subscriptions", |known, number| {
            let name = format!("Measured {number}");
            let scope = format!("connection/measured-{number}");
            Some(json!({ "name": name, "destination_id": known.destination, "event_types": ["*"], "scope": scope }))
        }),
        get("list subscriptions", "/v1/subscriptions"),
        get("list events", "/v1/events"),
        get("read an event", format!("/v1/events/{event}")),
        Asked { query, ..get("list a destination's deliveries", "/v1/deliveries") },
        get("read a delivery", format!("/v1/deliveries/{delivery}")),
    ]
}

fn of_portal(known: &Known) -> Vec<Asked> {
    let Known { destination, delivery, event } = known;
    vec![
        get("wizard", "/configure"),
        get("destinations", "/destinations"),
        get("a destination", format!("/destinations/{destination}")),
        get("its settings", format!("/destinations/{destination}/edit")),
        get("subscriptions", "/subscriptions"),
        get("deliveries", "/deliveries"),
        get("a delivery", format!("/deliveries/{delivery}")),
        get("events", "/events"),
        get("an event", format!("/events/{event}")),
        get("ledger", "/ledger"),
    ]
}

/// What `events/` has as the body of a posted event.
fn event_body() -> Result<Value> {
    Ok(serde_json::from_str(sample("api-post-event")?["body"].as_str().unwrap_or_default())?)
}

pub(crate) async fn measure(world: &World) -> Result<Vec<Requested>> {
    let account = Account::http(10);
    let mut world = world.beside("requests", HORIZON_SECONDS).await?;
    world.create(&[account]).await?;
    let known = known(&mut world, account).await?;
    let mut measured = Vec::new();
    let mut api = world.start("api").await?;
    for asked in of_api(&known) {
        let request = |number: usize| of_account(&asked, &known, account, number);
        measured.push(one(&world, &mut api, "api", asked.what, request).await?);
    }
    let mut portal = world.start("portal").await?;
    let cookie = signed_in(&mut api, &mut portal, account).await?;
    for asked in of_portal(&known) {
        let request = |_| of_visitor(&asked, &cookie);
        measured.push(one(&world, &mut portal, "portal", asked.what, request).await?);
    }
    for function in [api, portal] {
        function.end().await?;
    }
    Ok(measured)
}

/// Has events delivered, and names some of what there is then.
async fn known(world: &mut World, account: Account) -> Result<Known> {
    world.aws.keep_messages(true);
    let events = world.events(&account.id(), 1_024, EVENTS)?;
    run(world, "fanout", &in_batches(&events, BATCH)?, events.len() / BATCH).await?;
    let messages = world.aws.take_messages();
    world.aws.keep_messages(false);
    run(world, "deliver", &in_batches(&messages, BATCH)?, messages.len() / BATCH).await?;
    let destination = world.ids.first().cloned().unwrap_or_default();
    let event = serde_json::from_str::<Value>(&events[EVENTS / 2])?["id"].as_str().unwrap_or_default().to_owned();
    let mut known = Known { destination, event, delivery: String::new() };
    let mut api = world.start("api").await?;
    let query = vec![("destination_id", known.destination.clone())];
    let list = Asked { query, ..get("a list", "/v1/deliveries") };
    let (_, list) = reply(&api.invoke(of_account(&list, &known, account, 0)?).await?)?;
    known.delivery = list["data"][0]["id"].as_str().ok_or("a list without deliveries")?.to_owned();
    api.end().await?;
    Ok(known)
}

async fn one(
    world: &World,
    instance: &mut Function,
    function: &'static str,
    what: &str,
    request: impl Fn(usize) -> Result<Vec<u8>>,
) -> Result<Requested> {
    let (mut samples, mut answer_bytes, mut before) = (Vec::new(), 0.0, world.aws.counts());
    for sample in 0..SAMPLES {
        if sample == 1 {
            before = world.aws.counts();
        }
        let since = instance.processor_time()?;
        for number in 0..REQUESTS {
            let answered = instance.invoke(request(sample * REQUESTS + number)?).await?;
            answer_bytes = accepted(what, &answered)?;
        }
        sleep(SETTLING).await;
        let spent = instance.processor_time()?.saturating_sub(since);
        samples.push(spent.as_secs_f64() * 1_000.0 / REQUESTS as f64);
    }
    world.aws.check()?;
    let counts = world.aws.counts().since(&before).times(1.0 / ((SAMPLES - 1) * REQUESTS) as f64);
    Ok(Requested {
        function,
        what: what.to_owned(),
        cpu_ms: median(&samples[1..]),
        calls: counts.all_calls(),
        read_units: counts.table.read_units,
        write_units: counts.table.write_units,
        answer_bytes,
    })
}

/// The length of what was answered; an error if that is not what was asked for.
fn accepted(what: &str, answered: &Answered) -> Result<f64> {
    let answer: Value = serde_json::from_slice(&answered.body)?;
    match (answer["statusCode"].as_u64(), answer["body"].as_str()) {
        (Some(200..=202), Some(body)) => Ok(body.len() as f64),
        (status, body) => Err(format!("{what} was answered with {status:?}: {body:?}").into()),
    }
}

fn of_account(asked: &Asked, known: &Known, account: Account, number: usize) -> Result<Vec<u8>> {
    let mut request = sample("api-list-destinations")?;
    request["requestContext"]["authorizer"]["lambda"]["account"] = json!(account.id());
    fill(&mut request, asked);
    if let Some(body) = (asked.body)(known, number) {
        request["headers"]["idempotency-key"] = json!(format!("measured-{}-{number}", asked.method));
        request["body"] = json!(body.to_string());
    }
    Ok(serde_json::to_vec(&request)?)
}

fn of_visitor(asked: &Asked, cookie: &str) -> Result<Vec<u8>> {
    let mut request = sample("portal-not-a-session")?;
    fill(&mut request, asked);
    request["headers"]["sec-fetch-site"] = json!("same-origin");
    request["cookies"] = json!([cookie]);
    Ok(serde_json::to_vec(&request)?)
}

fn fill(request: &mut Value, asked: &Asked) {
    request["rawPath"] = json!(asked.path);
    request["requestContext"]["http"]["path"] = json!(asked.path);
    request["requestContext"]["http"]["method"] = json!(asked.method);
    let query: Vec<_> = asked.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    request["rawQueryString"] = json!(query.join("&"));
    let query = asked.query.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    request["queryStringParameters"] = Value::Object(query.collect());
}

/// Opens the page with a link, and returns the cookie.
async fn signed_in(api: &mut Function, portal: &mut Function, account: Account) -> Result<String> {
    let mut offer = sample("api-create-account")?;
    let path = format!("/admin/v1/accounts/{}/sessions", account.id());
    fill(&mut offer, &Asked { method: "POST", ..get("offer a session", path) });
    offer["body"] = json!(json!({ "role": "admin" }).to_string());
    let (_, offered) = reply(&api.invoke(serde_json::to_vec(&offer)?).await?)?;
    let link = offered["url"].as_str().and_then(|url| url.split_once('#')).ok_or("a link without a token")?;
    let mut open = sample("portal-link")?;
    fill(&mut open, &Asked { method: "POST", ..get("open a session", "/open") });
    open["headers"]["sec-fetch-site"] = json!("same-origin");
    open["headers"]["content-type"] = json!("application/x-www-form-urlencoded");
    open["body"] = json!(format!("token={}", link.1));
    let answer: Value = serde_json::from_slice(&portal.invoke(serde_json::to_vec(&open)?).await?.body)?;
    let cookie = answer["cookies"][0].as_str().and_then(|cookie| cookie.split(';').next());
    cookie.map(str::to_owned).ok_or_else(|| format!("no session was opened: {answer}").into())
}
