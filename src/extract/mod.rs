//! Which part of an entity is read, and reading it to its stated end.
//!
//! The rule: a walk gives every record of its window at least once, or ends in an error that names
//! the window. It never skips and never takes an answer that does not state its end for the end.

mod aside;
mod census;
mod list;
mod log;
mod plan;
mod search;
mod tie;
mod walk;

pub use aside::Aside;
pub use census::{Census, Findings, Histogram, Shelf, Span, findings, spans};
pub use plan::{Known, LookBack, Place, Plan, Present, Progress, Step, plan, run_window};
pub use walk::{Read, Walk, WalkError, count};
