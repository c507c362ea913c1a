//! What the platform's operator does: register, list and delete accounts, and issue, list and revoke their API keys. API
//! Gateway lets in only requests signed with AWS credentials.

pub mod accounts;
pub mod keys;
