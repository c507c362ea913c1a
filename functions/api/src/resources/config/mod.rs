//! `/v1/config`: an account's destinations and subscriptions as one document that is read and put as a whole. Secrets
//! are never in it.
//!
//! `document` reads and writes the text; `account` looks up what is configured and takes the steps, and `checks` refuses
//! documents before that. [`domain::routing::plan`] decides which steps, and in which order.

mod account;
mod checks;
mod document;

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use domain::routing::plan::plan;
use domain::routing::{Action, Kind, Step};
use domain::value::Label;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::account::Current;
use self::document::{Document, Format, tags};
use crate::resources::subscriptions::warnings::Warning;
use crate::resources::{destinations, subscriptions};
use crate::web::caller::{Configurer, Reader};
use crate::web::etag::IfMatch;
use crate::web::filters::Filters;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, done, schemas};

/// All destinations and subscriptions of an account, by name.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a schema: the domain has the value")]
struct Configuration {
    /// Each name is there once.
    destinations: Vec<destinations::settings::ConfiguredDestination>,
    /// Each name is there once, and each `destination` is among the destinations.
    subscriptions: Vec<subscriptions::settings::ConfiguredSubscription>,
}

/// A step from what is configured to what is wanted.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ConfigStep)]
pub struct StepView {
    #[schema(value_type = choices::ConfigKind)]
    kind: Kind,
    #[schema(value_type = schemas::Label)]
    name: Label,
    #[schema(value_type = choices::ConfigAction)]
    action: Action,
    /// Of an update, the fields that change: JSON pointers into the destination or subscription.
    changes: Vec<String>,
    /// Its id; `null` for one that a dry run would create.
    #[schema(required)]
    id: Option<String>,
}

impl StepView {
    fn is_change(&self) -> bool {
        self.action != Action::Unchanged
    }

    fn new(step: Step, id: Option<String>) -> Self {
        Self { kind: step.kind, name: step.name, action: step.action, changes: step.changes, id }
    }
}

/// What a problem has besides the usual members when it ends a request of many steps.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema: `account` adds the member")]
pub struct Progress {
    /// Where a request takes many steps: those that were taken before this one failed.
    #[schema(required = false)]
    done: Vec<StepView>,
}

/// How many steps there are of each action.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ConfigCounts)]
struct Counts {
    create: usize,
    update: usize,
    delete: usize,
    unchanged: usize,
}

/// What was done, or would be in a dry run.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigPlan)]
pub struct PlanView {
    dry_run: bool,
    /// In the order in which the steps are taken. Of those that change something, the first 1,000 are shown.
    plan: Vec<StepView>,
    /// All of them are counted.
    counts: Counts,
    /// What may keep events from coming to the subscriptions that are created or changed. Of very many, the first 100.
    #[schema(max_items = 100)]
    warnings: Vec<Warning>,
}

impl PlanView {
    fn new(dry_run: bool, mut plan: Vec<StepView>, warnings: Vec<Warning>) -> Self {
        let count = |action| plan.iter().filter(|step| step.action == action).count();
        let counts = Counts {
            create: count(Action::Create),
            update: count(Action::Update),
            delete: count(Action::Delete),
            unchanged: count(Action::Unchanged),
        };
        let mut changes = 0;
        plan.retain(|step| {
            changes += usize::from(step.action != Action::Unchanged);
            step.action == Action::Unchanged || changes <= account::MOST_CHANGES
        });
        Self { dry_run, plan, counts, warnings }
    }
}

/// Read the configuration
///
/// All destinations and subscriptions of the account as one document, in the order of their names, without secrets and ids; as YAML
/// for `accept: application/yaml`. What this answers can be put again, and then changes nothing. `etag` is of the whole document.
#[utoipa::path(
    get,
    path = "/v1/config",
    operation_id = "read_config",
    tag = "configuration",
    responses(
        (status = 200, description = "The configuration.", content(
            (Configuration = "application/json"), (Configuration = "application/yaml")
        )),
        (status = 409, description = "`document_too_large`: reading it would cost more than 500 read units, which are about 2,500 subscriptions, or the \
            document has more than about 5 MB; read the lists in pages.")
    )
)]
pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let current = Current::read(&deps, &account).await?;
    document::answer(&current.configuration(), Format::accepted(&headers))
}

/// The query of a change.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Putting {
    /// Whether nothing is done; `false` if left out.
    #[serde(default)]
    #[param(value_type = Option<bool>, required = false)]
    dry_run: bool,
}

/// Put the configuration
///
/// Makes the account's destinations and subscriptions those of the document, by name: what is new is created, what differs is
/// changed, and **what is not in the document is deleted**. With `dry_run=true` nothing is done, and the answer says what would be.
/// Putting the same again changes nothing. A new name is another thing: a renamed destination gets a new id and a new secret, and
/// the secret of a created destination is shown by rotating it. Many changes are not one: when one fails, the problem's `done` lists
/// those before it, and putting the document again finishes them. One request makes 1,000 changes at most, for 20 s, and fewer
/// where they would cost more than 500 read units.
#[utoipa::path(
    put,
    path = "/v1/config",
    operation_id = "put_config",
    tag = "configuration",
    params(
        Putting,
        ("if-match" = Option<String>, Header, description = "The `etag` of the document that was read: refused when it is another now.")
    ),
    request_body(content(
        (Configuration = "application/json"), (Configuration = "application/yaml")
    )),
    responses(
        (status = 200, description = "What was done, or would be.", body = PlanView),
        (status = 400, description = "`malformed_json`, `malformed_yaml`: the body is neither; `invalid_parameter`: `dry_run` is wrong."),
        (status = 409, description = "`limit_reached`: the account would have too many destinations or subscriptions meanwhile, or conditions of more than 512 KiB; \
            `document_too_large`: what it has now is more than one request may read, about 2,500 subscriptions: change one at a time."),
        (status = 412, description = "`precondition_failed`: it was changed since it was read."),
        (status = 415, description = "`unsupported_media_type`: the body's `content-type` is neither `application/json` nor `application/yaml`."),
        (status = 422, description = "`validation_failed`: a field is missing, unknown or wrong, a name comes twice, a destination's name is unknown, or no event can ever come to a subscription; `blocked_address`; `errors` points at it.")
    )
)]
pub async fn put(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Filters(Putting { dry_run }): Filters<Putting>,
    if_match: IfMatch,
    Document(wanted): Document,
) -> Result<Response, Problem> {
    let ends = deps.clock.now().plus(account::APPLY_FOR);
    wanted.check().map_err(|error| Problem::at(Code::ValidationFailed, &error.pointer, error.detail))?;
    let current = Current::read(&deps, &account).await?;
    let configuration = current.configuration();
    if if_match.is_given() {
        if_match.check_any(&tags(&configuration)?)?;
    }
    let steps = plan(&configuration, &wanted);
    let warnings = checks::check_reach(&configuration, &wanted)?;
    checks::check_limits(&deps, &configuration, &wanted, &steps)?;
    checks::check_addresses(&deps, &configuration, &wanted).await?;
    let steps = if dry_run {
        steps.into_iter().map(|step| current.planned(step)).collect()
    } else {
        current.apply(&deps, steps, &wanted, ends, &if_match).await?
    };
    let as_it_was = dry_run || !steps.iter().any(StepView::is_change);
    Ok(done::nothing_if(as_it_was, Answer(PlanView::new(dry_run, steps, warnings))))
}

/// The headers of an answer that is a document.
fn headers(media_type: &'static str, etag: String) -> [(header::HeaderName, String); 3] {
    [(header::CONTENT_TYPE, media_type.to_owned()), (header::ETAG, etag), (header::VARY, "accept".to_owned())]
}
