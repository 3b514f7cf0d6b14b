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

    /// That of several pieces of work: what they agree on; that they were stopped, if any was; else, that some failed.
    #[must_use]
    pub fn of_all(exits: &[Self]) -> Self {
        let stopped = exits.iter().find(|exit| matches!(exit, Self::Interrupted | Self::Terminated));
        match (exits.first(), stopped) {
            (_, Some(stopped)) => *stopped,
            (Some(first), None) if exits.iter().all(|exit| exit == first) => *first,
            (Some(_), None) => Self::Partial,
            (None, None) => Self::Ok,
        }
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_ends_make_one() {
        assert_eq!(Exit::of_all(&[Exit::Ok, Exit::Ok]), Exit::Ok);
        assert_eq!(Exit::of_all(&[Exit::Busy, Exit::Busy]), Exit::Busy);
        assert_eq!(Exit::of_all(&[Exit::Ok, Exit::Authentication]), Exit::Partial);
        assert_eq!(Exit::of_all(&[Exit::Authentication, Exit::Interrupted]), Exit::Interrupted);
    }
}
