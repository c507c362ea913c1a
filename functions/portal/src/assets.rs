//! The stylesheet, the script and the mark. Their names change with their content, so browsers may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::render;

struct Asset {
    path: String,
    media_type: &'static str,
    content: &'static [u8],
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, content: &'static [u8]) -> Self {
        let hash = HEXLOWER.encode(Sha256::digest(content).get(..8).unwrap_or_default());
        Self { path: format!("/assets/{name}-{hash}.{extension}"), media_type, content }
    }
}

static STYLES: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "css", "text/css; charset=utf-8", include_bytes!("../assets/page.css")));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/page.js")));
static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("mark", "svg", "image/svg+xml", include_bytes!("../assets/mark.svg")));

pub fn styles() -> &'static str {
    &STYLES.path
}

pub fn script() -> &'static str {
    &SCRIPT.path
}

pub fn mark() -> &'static str {
    &MARK.path
}

pub async fn serve(Path(name): Path<String>) -> Response {
    let found =
        [&*STYLES, &*SCRIPT, &*MARK].into_iter().find(|asset| asset.path.strip_prefix("/assets/") == Some(&name));
    let Some(asset) = found else {
        return render::message(StatusCode::NOT_FOUND, "There is nothing here", "Reload the page you came from.", None);
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.content).into_response()
}
