//! Being asked to stop.
//!
//! The rule: the first signal lets the run end in order; the second one ends it at once, which loses
//! nothing either.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::run::Exit;

/// Becomes the exit code that the first signal calls for.
pub(super) fn listen() -> watch::Receiver<Option<Exit>> {
    let (tell, told) = watch::channel(None);
    for (kind, exit) in [(SignalKind::interrupt(), Exit::Interrupted), (SignalKind::terminate(), Exit::Terminated)] {
        let tell = tell.clone();
        match signal(kind) {
            Ok(mut signals) => {
                tokio::spawn(async move {
                    while signals.recv().await.is_some() {
                        if tell.send_replace(Some(exit)).is_some() {
                            std::process::exit(i32::from(exit.code()));
                        }
                    }
                });
            }
            Err(error) => tracing::warn!(%error, "signals cannot be heard; stopping loses nothing all the same"),
        }
    }
    told
}
