//! How Kustomer is spoken: requests as values, answers as pages of records.
//!
//! The rule: a page comes out whole or not at all, in our share of the organisation's limits, and
//! nothing that is asked can change anything there. This module knows HTTP and the envelope of an
//! answer; what a record means is the affair of others.

mod client;
mod envelope;
mod error;
mod exchange;
mod headers;
mod json;
mod origin;
mod page;
mod path;
mod quota;
mod refusal;
mod request;
mod retry;
mod search;
mod slots;
#[cfg(test)]
mod testing;
mod token;
mod transport;
mod usage;

pub use client::{Client, ClientSettings, Pages};
pub use error::{ApiError, Cause, ConnectFailure, Failure, Phrase, RedirectTarget, Status};
pub use exchange::{Exchange, Network, Received, Sent};
pub use json::{entries, text_at, value_at};
pub use origin::{InvalidOrigin, Origin};
pub use page::{BadPage, Next, Page, Record, RecordId};
pub use path::{InvalidPath, Path};
pub use quota::{InvalidShare, Limit, QuotaSettings, Share, Spent, Waiting};
pub use request::{Budget, List, Request, Slice};
pub use retry::RetrySettings;
pub use search::{Content, Criterion, Deleted, Index, Operand, Operator, Search, Total};
pub use slots::WaitReason;
pub use token::TokenInfo;
pub use transport::{Patience, SetupError};
pub use usage::{Room, Usage};
