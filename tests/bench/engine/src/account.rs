//! Accounts, by how many destinations get each of their events, and how these are reached.

use serde::Serialize;

/// How destinations are reached. All but the last two keep connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Over {
    Http,
    Https,
    /// With a connection for each request, which may resume a session of TLS.
    HttpsResumed,
    /// With a connection for each request, and no session to resume.
    HttpsNew,
}

impl Over {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::HttpsResumed => "HTTPS resumed",
            Self::HttpsNew => "HTTPS new",
        }
    }

    fn id(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::HttpsResumed => "https-resumed",
            Self::HttpsNew => "https-new",
        }
    }
}

/// An account, by how many destinations get each of its events, and how they are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) fan_out: usize,
    pub(crate) over: Over,
}

impl Account {
    pub(crate) const fn new(over: Over, fan_out: usize) -> Self {
        Self { fan_out, over }
    }

    pub(crate) const fn http(fan_out: usize) -> Self {
        Self::new(Over::Http, fan_out)
    }

    pub(crate) const fn https(fan_out: usize) -> Self {
        Self::new(Over::Https, fan_out)
    }

    pub(crate) fn id(self) -> String {
        format!("{}-{}", self.over.id(), self.fan_out)
    }
}
