//! Icons of the Lucide set, as inline SVG. They only repeat what the text beside them says, so screen readers skip
//! them.

use std::fmt;

use askama::filters::HtmlSafe;
use icondata_core::Icon as Drawing;

/// An icon. Templates write it as `{{ icons::CHECK }}`.
#[derive(Clone, Copy)]
pub struct Icon(Drawing);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            r#"<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">"#,
        )?;
        f.write_str(self.0.data)?;
        f.write_str("</svg>")
    }
}

/// The drawings are constants, so they contain no text from outside.
impl HtmlSafe for Icon {}

macro_rules! icons {
    ($($name:ident = $drawing:ident),* $(,)?) => {
        $(pub const $name: Icon = Icon(icondata_lu::$drawing);)*
    };
}

icons! {
    ALERT = LuTriangleAlert,
    ARROW_LEFT = LuArrowLeft,
    ARROW_RIGHT = LuArrowRight,
    BAN = LuBan,
    CHECK = LuCheck,
    CHEVRON = LuChevronRight,
    CIRCLE_CHECK = LuCircleCheck,
    CIRCLE_X = LuCircleX,
    CLOCK = LuClock,
    COPY = LuCopy,
    FILTER = LuListFilter,
    INBOX = LuInbox,
    INFO = LuInfo,
    KEY = LuKeyRound,
    PAUSE = LuPause,
    PENCIL = LuPencil,
    PLAY = LuPlay,
    PLUS = LuPlus,
    REFRESH = LuRefreshCw,
    SCALE = LuScale,
    SEARCH = LuSearch,
    SEND = LuSend,
    SHIELD = LuShieldCheck,
    SIGN_OUT = LuLogOut,
    TARGET = LuTarget,
    TRASH = LuTrash2,
    WEBHOOK = LuWebhook,
    X = LuX,
    ZAP = LuZap,
}
