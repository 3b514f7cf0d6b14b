//! How Kustomer is spoken: requests as values, answers as pages of records.
mod json;
mod page;
mod path;

pub use page::{BadPage, Next, Page, Record, RecordId};
pub use path::{InvalidPath, Path};
