//! `cursor`: a line with the path of a list and its parameters, and after it the place that a forged cursor names. A cursor has
//! a digest of its query, which only detects mistakes: whoever forges one computes it, as this does.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::request::checked;
use crate::world::{Written, with_account};

pub(crate) fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (Ok(target), place) = (str::from_utf8(&input[..end]), input.get(end + 1..).unwrap_or_default()) else { return };
    with_account(|world| {
        let target = target.replace("DLV", &world.delivery);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let cursor = BASE64URL_NOPAD.encode(&[&digest(path, query)[..8], place].concat());
        let and = if query.is_empty() { "" } else { "&" };
        let forged = format!("{path}?{query}{and}cursor={cursor}");
        let Some(answer) = world.call(&Written::plain("GET", &forged)) else { return };
        checked(&forged, &answer);
        let is_plain = path.bytes().all(|byte| byte.is_ascii_lowercase() || b"/-_0123456789".contains(&byte));
        let told = String::from_utf8_lossy(&answer.body);
        assert!(!is_plain || query.contains("cursor") || !told.contains("belongs to another query"), "{forged}");
    });
}

/// The digest of a query: of its path and its sorted parameters, each after its length.
fn digest(path: &str, query: &str) -> [u8; 32] {
    let mut parameters: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
    if let Some(limit) = parameters.iter().position(|(name, _)| name == "limit") {
        parameters.remove(limit);
    }
    parameters.sort();
    let mut digest = Sha256::new();
    for text in [path].into_iter().chain(parameters.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()])) {
        digest.update(text.len().to_be_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().into()
}
