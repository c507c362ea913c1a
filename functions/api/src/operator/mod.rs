//! What the platform's operator does: register, list and delete accounts, issue, list and revoke their API keys, and offer
//! page sessions. API Gateway lets in only requests signed with AWS credentials.

pub mod accounts;
pub mod keys;
pub mod sessions;
