//! Pictures of whole pages.

use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use harness::checkout;
use harness::failure::{OrFailure, Result};
use harness::unique::unique;
use serde_json::json;

use super::session::Browser;

/// The greatest height of a picture, in pixels. The rest of a longer page is cut off.
const TALLEST: u64 = 16_000;

impl Browser {
    /// Writes a picture of the whole page as a PNG file, and creates its directory if needed.
    pub async fn picture(&self, path: &Path) -> Result<()> {
        let problem = || format!("cannot take a picture for {}", path.display());
        // Otherwise a bar that sticks to the top would be in the middle. Without scripts, nothing has scrolled.
        let _ = self.devtools("Runtime.evaluate", json!({"expression": "scrollTo(0, 0)"})).await;
        let size = self.devtools("Page.getLayoutMetrics", json!({})).await.or_failure(problem)?;
        let (size, view) = (&size["cssContentSize"], &size["cssLayoutViewport"]);
        let height = size["height"].as_u64().max(view["clientHeight"].as_u64()).map(|height| height.min(TALLEST));
        let clip = json!({"x": 0, "y": 0, "width": view["clientWidth"], "height": height, "scale": 1});
        let how = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.devtools("Page.captureScreenshot", how).await.or_failure(problem)?;
        let picture = picture["data"].as_str().or_failure(problem)?;
        let picture = BASE64.decode(picture.as_bytes()).or_failure(problem)?;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).or_failure(problem)?;
        }
        fs::write(path, picture).or_failure(problem)
    }

    /// Takes a picture when a test finds something unexpected, and returns its path.
    pub(super) async fn picture_of_failure(&self) -> Result<String> {
        let path = checkout::runs("failures").join(format!("{}.png", unique("page")));
        self.picture(&path).await?;
        Ok(path.display().to_string())
    }
}
