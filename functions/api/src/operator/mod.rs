//! What the platform's operator does: register, list and delete accounts, issue, list and revoke their API keys, offer
//! page sessions, and mend rejected events. API Gateway lets in only requests signed with AWS credentials.

pub mod accounts;
pub mod keys;
pub mod rejected_events;
pub mod sessions;
