//! One new object, sent while it is still being made.
//!
//! The rule: at most [`IN_FLIGHT`] parts wait in memory, whatever the size of the object, and nothing is visible at
//! its path before [`Upload::finish`].

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutPayloadMut, WriteMultipart};

/// Bytes of a part, at least; S3 takes 10,000 parts of 5 MiB or more. Small, because the parts in flight are the largest
/// thing that a writer holds.
const PART: usize = 5 * 1024 * 1024;

/// Parts being sent at once.
const IN_FLIGHT: usize = 2;

/// An object on its way.
#[derive(Debug)]
pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    sent: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Small so far: one request will do.
    Buffered(PutPayloadMut),
    Parts(WriteMultipart),
}

impl Upload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, sent: 0, state: State::Buffered(PutPayloadMut::new()) }
    }

    /// Takes the next bytes; waits while too many parts are on their way.
    pub(super) async fn push(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.sent += u64::try_from(bytes.len()).unwrap_or_default();
        match &mut self.state {
            State::Parts(parts) => {
                parts.wait_for_capacity(IN_FLIGHT).await?;
                parts.put(bytes);
            }
            State::Buffered(buffer) => {
                buffer.push(bytes);
                if buffer.content_length() >= PART {
                    let first = std::mem::take(buffer).freeze();
                    let mut parts =
                        WriteMultipart::new_with_chunk_size(self.store.put_multipart(&self.path).await?, PART);
                    first.into_iter().for_each(|bytes| parts.put(bytes));
                    self.state = State::Parts(parts);
                }
            }
        }
        Ok(())
    }

    /// Bytes taken so far.
    pub(super) fn len(&self) -> u64 {
        self.sent
    }

    /// Makes the object visible.
    pub(super) async fn finish(self) -> Result<(), StoreError> {
        match self.state {
            State::Buffered(buffer) => self.store.put(&self.path, buffer.freeze()).await.map(|_| ()),
            State::Parts(parts) => parts.finish().await.map(|_| ()),
        }
    }

    /// Gives the object up and removes what was sent.
    pub(super) async fn abort(self) -> Result<(), StoreError> {
        match self.state {
            State::Buffered(_) => Ok(()),
            State::Parts(parts) => parts.abort().await,
        }
    }
}
