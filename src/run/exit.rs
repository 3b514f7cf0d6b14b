//! What the process tells its caller at the end.

use serde::{Serialize, Serializer};

/// Exit codes of every command; part of the outside contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All well.
    Ok = 0,
    /// An error of ours.
    Internal = 1,
    /// Usage, configuration, or a stored format newer than this version.
    Usage = 2,
    /// The API key is missing, wrong or expired; what is committed stays.
    Authentication = 3,
    /// Another run is active.
    Busy = 4,
    /// The destination cannot be used.
    Destination = 5,
    /// Some entities failed; the others are committed.
    Partial = 6,
    /// Stopped from the keyboard; progress is kept.
    Interrupted = 130,
    /// Stopped by the system; progress is kept.
    Terminated = 143,
}

impl Exit {
    /// The number that the caller sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}
