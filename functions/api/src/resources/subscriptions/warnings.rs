//! What may prevent events from matching a subscription. Settings that no event can ever match are refused; for others
//! that may be a mistake, the response has `warnings`.

use domain::routing::{Reach, Remark};
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::problem::{Code, Problem};

/// A setting that was accepted but may be a mistake.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Warning {
    /// A JSON pointer to the setting.
    #[schema(example = "/condition/statuss")]
    pub pointer: String,
    /// What may be wrong, for people.
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

/// The warnings about a subscription. Stored settings that would be refused today cause warnings as well.
pub fn of(reach: Reach<'_>) -> Vec<Warning> {
    let remarks = reach.check().unwrap_or_else(|refused| vec![refused]);
    remarks.into_iter().map(Warning::of).collect()
}

/// Refuses settings with which a part of a subscription can never match.
pub fn refuse_unreachable(reach: Reach<'_>) -> Result<(), Problem> {
    let refused = |Remark { pointer, detail }| Problem::at(Code::ValidationFailed, &pointer, detail);
    reach.check().map(drop).map_err(refused)
}
