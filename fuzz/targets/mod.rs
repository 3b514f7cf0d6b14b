//! What is done with hostile input, and what must hold whatever the input is: one function a target.
//!
//! They are compiled twice: into the fuzz targets, which look for inputs, and into the tests, which try every input that was
//! ever kept (`tests/it/hostile.rs`). So nothing here knows which of them calls, and each panics when something does not hold.

pub mod answer;
pub mod catalogue;
pub mod configuration;
pub mod page;
pub mod record;
pub mod state;

/// Does with an input what is done with it, and panics if anything does not hold.
pub type Check = fn(&[u8]);

/// Every target by its name, which is also that of its folders.
pub const TARGETS: [(&str, Check); 6] = [
    ("answer", answer::check),
    ("catalogue", catalogue::check),
    ("configuration", configuration::check),
    ("page", page::check),
    ("record", record::check),
    ("state", state::check),
];
