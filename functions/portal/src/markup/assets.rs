//! The stylesheet, the script and the logo. Their names contain a hash of their content, so browsers may cache them for
//! ever.
//!
//! Invariant: stylesheet and script have less than 30 KB each, and their names change with their content (tests:
//! `stylesheet_and_script_are_small_and_kept_for_ever`).

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

pub struct Asset {
    path: String,
    pub media_type: &'static str,
    pub content: &'static [u8],
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, content: &'static [u8]) -> Self {
        let hash = HEXLOWER.encode(Sha256::digest(content).get(..8).unwrap_or_default());
        Self { path: format!("/assets/{name}-{hash}.{extension}"), media_type, content }
    }
}

static STYLES: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "css", "text/css; charset=utf-8", include_bytes!("../../assets/page.css")));
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("page", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/page.js"))
});
static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("mark", "svg", "image/svg+xml", include_bytes!("../../assets/mark.svg")));

pub fn styles() -> &'static str {
    &STYLES.path
}

pub fn script() -> &'static str {
    &SCRIPT.path
}

pub fn mark() -> &'static str {
    &MARK.path
}

/// Finds an asset by its name, which is the last segment of its path.
pub fn find(name: &str) -> Option<&'static Asset> {
    [&*STYLES, &*SCRIPT, &*MARK].into_iter().find(|asset| asset.path.strip_prefix("/assets/") == Some(name))
}
