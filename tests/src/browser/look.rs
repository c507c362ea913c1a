//! How a page is looked at: on what size of screen, in which theme, where in the world, and whether scripts run.

use serde_json::{Value, json};
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities as _};

use harness::failure::{OrFailure, Result};

/// What somebody prefers whose browser shows everything in this theme.
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

/// Unless told otherwise: a laptop's screen, light, in UTC, with scripts.
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
    /// In CSS pixels.
    #[must_use]
    pub fn sized(self, width: u32, height: u32) -> Self {
        Self { width, height, ..self }
    }

    #[must_use]
    pub fn in_theme(self, theme: Theme) -> Self {
        Self { theme, ..self }
    }

    /// Such as `Asia/Kolkata`.
    #[must_use]
    pub fn in_time_zone(self, time_zone: &'static str) -> Self {
        Self { time_zone, ..self }
    }

    /// As in a browser whose settings allow no JavaScript.
    #[must_use]
    pub fn without_scripts(self) -> Self {
        Self { scripts: false, ..self }
    }

    pub fn runs_scripts(self) -> bool {
        self.scripts
    }

    /// What can be told to a browser only before it starts.
    pub(super) fn prepare(self, capabilities: &mut ChromeCapabilities) -> Result<()> {
        const FORBIDDEN: u8 = 2;
        if self.scripts {
            return Ok(());
        }
        let settings = json!({"profile.default_content_setting_values.javascript": FORBIDDEN});
        capabilities.add_experimental_option("prefs", settings).or_failure(|| "cannot forbid scripts")
    }

    /// What can be changed at any time: commands of the DevTools protocol and their parameters.
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
            // As on a phone, and in pictures from the top to the bottom, where there is nothing to scroll.
            ("Emulation.setScrollbarsHidden", json!({"hidden": true})),
        ]
    }
}
