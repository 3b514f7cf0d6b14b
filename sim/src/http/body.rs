//! Bodies, whole ones and ones that break off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct SimBody {
    rest: Option<Bytes>,
    /// The length that was announced, when the connection is to break before it.
    broken_at: Option<u64>,
}

impl SimBody {
    pub(crate) const fn whole(bytes: Bytes) -> Self {
        Self { rest: Some(bytes), broken_at: None }
    }

    /// Announces everything, sends half of it, and breaks off.
    pub(crate) fn broken(mut bytes: Bytes) -> Self {
        let announced = bytes.len() as u64;
        bytes.truncate(bytes.len() / 2);
        Self { rest: Some(bytes), broken_at: Some(announced) }
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.rest.take() {
            Some(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            _ if self.broken_at.is_some() => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken_at.is_none() && self.rest.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or(0, |bytes| bytes.len() as u64);
        SizeHint::with_exact(self.broken_at.unwrap_or(rest))
    }
}
