//! Finds out from the headers of a request whether it comes from a page of ours.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};

/// The address of the page as browsers see it: scheme, host and port.
#[derive(Debug, Clone)]
pub struct Origin(Arc<str>);

impl Origin {
    /// `page_url` is the page's base address.
    pub fn new(page_url: &str) -> Self {
        Self(page_url.trim_end_matches('/').into())
    }

    /// Whether a page of ours sent this. Browsers say so in `sec-fetch-site`. Those that do not send it name the page in
    /// the header `sender`. No page can forge either header.
    pub fn sent(&self, headers: &HeaderMap, sender: HeaderName) -> bool {
        if let Some(site) = headers.get("sec-fetch-site") {
            return site == "same-origin";
        }
        let named = headers.get(sender).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, rest) = named.split_once("://").unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        self.0
            .split_once("://")
            .is_some_and(|ours| ours.0.eq_ignore_ascii_case(scheme) && ours.1.eq_ignore_ascii_case(host))
    }

    /// The path and query of the page of ours that sent this, if the browser names it.
    pub fn sender<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let named = headers.get(header::REFERER)?.to_str().ok()?;
        let place = named.strip_prefix(&*self.0)?;
        place.starts_with('/').then(|| place.split('#').next().unwrap_or_default())
    }
}
