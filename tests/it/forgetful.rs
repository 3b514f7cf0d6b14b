//! A store whose answers get lost.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Any store, of which one answer to a put is lost: to a path that ends with a given text.
#[derive(Debug)]
pub(crate) struct Forgetful {
    inner: Arc<dyn ObjectStore>,
    end: Mutex<Option<String>>,
}

impl Forgetful {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, end: Mutex::default() }
    }

    /// The answer to the next put to a path with this end is lost.
    pub(crate) fn forget(&self, end: &str) {
        *self.end.lock().unwrap() = Some(end.to_owned());
    }

    /// Whether that has happened.
    pub(crate) fn has_forgotten(&self) -> bool {
        self.end.lock().unwrap().is_none()
    }
}

impl fmt::Display for Forgetful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forgetful")
    }
}

type Pinned<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl ObjectStore for Forgetful {
    fn put_opts<'a, 'b, 'c>(&'a self, path: &'b Path, payload: PutPayload, opts: PutOptions) -> Pinned<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let put = self.inner.put_opts(path, payload, opts).await?;
            let lost = self.end.lock().unwrap().take_if(|end| path.as_ref().ends_with(end.as_str()));
            match lost {
                Some(_) => Err(Error::Generic { store: "Forgetful", source: "the answer was lost".into() }),
                None => Ok(put),
            }
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        opts: PutMultipartOptions,
    ) -> Pinned<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move { self.inner.put_multipart_opts(path, opts).await })
    }

    fn get_opts<'a, 'b, 'c>(&'a self, path: &'b Path, options: GetOptions) -> Pinned<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move { self.inner.get_opts(path, options).await })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Pinned<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move { self.inner.list_with_delimiter(prefix).await })
    }

    fn copy_opts<'a, 'b, 'd, 'c>(&'a self, from: &'b Path, to: &'d Path, options: CopyOptions) -> Pinned<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
        Self: 'c,
    {
        Box::pin(async move { self.inner.copy_opts(from, to, options).await })
    }
}
