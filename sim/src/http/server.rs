//! Accepting connections.

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{api, control};
use crate::shared::Shared;

/// Serves until it is aborted; connections end with it.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // A connection that cannot be tuned still works.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move {
            if request.uri().path().starts_with("/_sim/") {
                Ok(control::answer(&shared, request).await)
            } else {
                api::answer(&shared, request).await
            }
        }
    });
    // Clients that hang up, and answers that are dropped on purpose, end a connection; nobody needs to hear of it.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
