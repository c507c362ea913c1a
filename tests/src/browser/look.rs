//! How a page is viewed: the size of the screen, the theme, the time zone, and whether scripts run.

use harness::failure::{OrFailure, Result};
use serde_json::{Value, json};
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities as _};

/// The theme that the browser asks pages for (`prefers-color-scheme`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub fn name(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// A way of viewing pages. The default is a laptop's screen, light, in UTC, with scripts.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    width: u32,
    height: u32,
    theme: Theme,
    time_zone: &'static str,
    scripts: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 1280, height: 800, theme: Theme::Light, time_zone: "UTC", scripts: true }
    }
}

impl Look {
    /// On a screen of this size, in CSS pixels.
    #[must_use]
    pub fn sized(self, width: u32, height: u32) -> Self {
        Self { width, height, ..self }
    }

    #[must_use]
    pub fn in_theme(self, theme: Theme) -> Self {
        Self { theme, ..self }
    }

    /// In this time zone, such as `Asia/Kolkata`.
    #[must_use]
    pub fn in_time_zone(self, time_zone: &'static str) -> Self {
        Self { time_zone, ..self }
    }

    /// With JavaScript forbidden by the browser's settings.
    #[must_use]
    pub fn without_scripts(self) -> Self {
        Self { scripts: false, ..self }
    }

    pub fn runs_scripts(self) -> bool {
        self.scripts
    }

    /// Applies the settings that must be made before a browser starts.
    pub(super) fn prepare(self, capabilities: &mut ChromeCapabilities) -> Result<()> {
        const FORBIDDEN: u8 = 2;
        if self.scripts {
            return Ok(());
        }
        let settings = json!({"profile.default_content_setting_values.javascript": FORBIDDEN});
        capabilities.add_experimental_option("prefs", settings).or_failure(|| "cannot forbid scripts")
    }

    /// The settings that can be made at any time, as commands of the DevTools protocol with their parameters.
    pub(super) fn commands(self) -> [(&'static str, Value); 4] {
        let features = json!([
            {"name": "prefers-color-scheme", "value": self.theme.name()},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        let size = json!({"width": self.width, "height": self.height, "deviceScaleFactor": 1, "mobile": false});
        [
            ("Emulation.setDeviceMetricsOverride", size),
            ("Emulation.setEmulatedMedia", json!({"features": features})),
            ("Emulation.setTimezoneOverride", json!({"timezoneId": self.time_zone})),
            // As on a phone, and as in pictures of a whole page, where there is nothing to scroll.
            ("Emulation.setScrollbarsHidden", json!({"hidden": true})),
        ]
    }
}
