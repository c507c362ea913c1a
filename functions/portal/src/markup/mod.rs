//! What a page is written with: the shell around it, small pieces of HTML, icons, assets and addresses. Nothing here knows who looks
//! at a page, or the API.

pub mod address;
pub mod assets;
pub mod html;
pub mod icons;
pub mod message;
pub mod moment;
pub mod shell;
pub mod shown;
