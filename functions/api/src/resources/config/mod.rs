//! `/v1/config`: an account's destinations and subscriptions as one document that is read and put as a whole. It never
//! contains secrets.
//!
//! `document` reads and writes the text; `account` looks up what is configured and carries out the steps; `checks` refuses
//! documents before that. [`domain::routing::plan`] decides which steps are needed, and their order.

mod account;
mod checks;
mod document;
mod yaml;

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
    /// Each name occurs only once.
    destinations: Vec<destinations::settings::ConfiguredDestination>,
    /// Each name occurs only once, and each `destination` names one of the destinations above.
    subscriptions: Vec<subscriptions::settings::ConfiguredSubscription>,
}

/// One step from the present configuration to the new one.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ConfigStep)]
pub struct StepView {
    #[schema(value_type = choices::ConfigKind)]
    kind: Kind,
    #[schema(value_type = schemas::Label)]
    name: Label,
    #[schema(value_type = choices::ConfigAction)]
    action: Action,
    /// The fields that an update changes, as JSON pointers into the destination or subscription.
    changes: Vec<String>,
    /// The id of the destination or subscription; `null` for one that a dry run would create.
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

/// The additional member of a problem that ends a request of many steps.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema: `account` adds the member")]
pub struct Progress {
    /// If a request has many steps: the steps that were carried out before one failed.
    #[schema(required = false)]
    done: Vec<StepView>,
}

/// The number of steps of each action.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ConfigCounts)]
struct Counts {
    create: usize,
    update: usize,
    delete: usize,
    unchanged: usize,
}

/// What was done, or what a dry run would do.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigPlan)]
pub struct PlanView {
    dry_run: bool,
    /// The steps in the order in which they are carried out. At most 1,000 steps that change something are shown.
    plan: Vec<StepView>,
    /// The number of all steps, including steps that are not shown.
    counts: Counts,
    /// What may prevent events from matching the subscriptions that are created or changed. At most 100 are shown.
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
/// Returns all destinations and subscriptions of the account as one document, in the order of their names, without secrets and
/// ids; as YAML for `accept: application/yaml`. Putting this document again changes nothing. `etag` is the version of the whole document.
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
    /// If `true`, nothing is changed, and the response shows what would be. Default: `false`.
    #[serde(default)]
    #[param(value_type = Option<bool>, required = false)]
    dry_run: bool,
}

/// Put the configuration
///
/// Makes the account's destinations and subscriptions equal to those of the document, by name: new ones are created, different
/// ones are changed, and **those that are not in the document are deleted**. With `dry_run=true` nothing is changed, and the response shows
/// what would be. Putting the same document again changes nothing. A new name means a new resource: a renamed destination gets a
/// new id and a new secret. The secret of a created destination is not shown; rotate it to see one. The changes are not atomic: if one
/// fails, the problem's `done` lists those before it, and putting the document again makes the others. One request makes at most 1,000
/// changes, for at most 20 s, and fewer if they would cost more than 500 read units.
#[utoipa::path(
    put,
    path = "/v1/config",
    operation_id = "put_config",
    tag = "configuration",
    params(
        Putting,
        ("if-match" = Option<String>, Header, description = "The `etag` of the document that was read: the request is refused if the configuration has changed since then.")
    ),
    request_body(content(
        (Configuration = "application/json"), (Configuration = "application/yaml")
    )),
    responses(
        (status = 200, description = "What was done, or what a dry run would do.", body = PlanView),
        (status = 400, description = "`malformed_json`, `malformed_yaml`: the body is not valid; `invalid_parameter`: `dry_run` is wrong."),
        (status = 409, description = "`limit_reached`: before the old ones are deleted, the account would have too many destinations or subscriptions, or conditions of more than 512 KiB; \
            `document_too_large`: what it has now is more than one request may read, about 2,500 subscriptions: change one at a time."),
        (status = 412, description = "`precondition_failed`: the configuration was changed since it was read."),
        (status = 415, description = "`unsupported_media_type`: the body's `content-type` is neither `application/json` nor `application/yaml`."),
        (status = 422, description = "`validation_failed`: a field is missing, unknown or wrong, a name occurs twice, a destination's name is unknown, or no event can ever match a subscription; `blocked_address`; `errors` points at it.")
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

/// The headers of a response that is a document.
fn headers(media_type: &'static str, etag: String) -> [(header::HeaderName, String); 3] {
    [(header::CONTENT_TYPE, media_type.to_owned()), (header::ETAG, etag), (header::VARY, "accept".to_owned())]
}
