//! The building blocks of pages: the shell around them, small pieces of HTML, icons, assets and addresses. Nothing here
//! knows the visitor or the API.

pub mod address;
pub mod assets;
pub mod html;
pub mod icons;
pub mod message;
pub mod moment;
pub mod shell;
pub mod shown;
