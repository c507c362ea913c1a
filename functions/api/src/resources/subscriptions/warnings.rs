//! What may keep events from coming to a subscription. What can never come is refused when it is set; `warnings` of the
//! answer say the rest.

use domain::routing::{Reach, Remark};
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::problem::{Code, Problem};

/// Something that was taken and may not be meant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Warning {
    /// A JSON pointer to it.
    #[schema(example = "/condition/statuss")]
    pub pointer: String,
    /// What it is, for people.
    pub detail: String,
}

impl Warning {
    fn of(Remark { pointer, detail }: Remark) -> Self {
        Self { pointer, detail }
    }

    /// The same warning, about a part at `pointer` in a larger body.
    pub fn under(self, pointer: &str) -> Self {
        Self { pointer: format!("{pointer}{}", self.pointer), ..self }
    }
}

/// What there is to say. What would be refused today is said of what was set before.
pub fn of(reach: Reach<'_>) -> Vec<Warning> {
    let remarks = reach.check().unwrap_or_else(|refused| vec![refused]);
    remarks.into_iter().map(Warning::of).collect()
}

/// Refuses settings with which something of a subscription can never come.
pub fn refuse_unreachable(reach: Reach<'_>) -> Result<(), Problem> {
    let refused = |Remark { pointer, detail }| Problem::at(Code::ValidationFailed, &pointer, detail);
    reach.check().map(drop).map_err(refused)
}
