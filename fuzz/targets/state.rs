//! The state file.

use kustlake::lake::{State, Unreadable};

/// A file is a state that is written as it was read, or is damaged, or newer.
pub fn check(file: &[u8]) {
    match State::parse(file) {
        Ok(state) => {
            let written = state.bytes().expect("a state can be written");
            assert_eq!(State::parse(&written).as_ref(), Ok(&state));
            assert_eq!(state.clone().merge(state.clone()), state);
            assert_eq!(state.clone().merge(State::default()), state);
        }
        Err(Unreadable::Newer(version)) => assert!(version > 1),
        Err(Unreadable::Damaged(reason)) => assert!(reason.len() < 80, "{reason}"),
    }
}
