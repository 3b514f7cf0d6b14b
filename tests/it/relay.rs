//! A way to a server that can be made to hang: connections are accepted, and nothing comes through.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    All,
    Nothing,
}

/// A relay to a server on loopback.
pub(crate) struct Relay {
    pub(crate) endpoint: String,
    flow: watch::Sender<Flow>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Relays to `endpoint`, such as `http://127.0.0.1:9000`.
    pub(crate) async fn to(endpoint: &str) -> Self {
        let server = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (flow, seen) = watch::channel(Flow::All);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (server, seen) = (server.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let ((from, to), (back_from, back_to)) = (client.into_split(), server.into_split());
                    tokio::join!(pass(from, back_to, seen.clone()), pass(back_from, to, seen));
                });
            }
        });
        Self { endpoint, flow, task }
    }

    /// From now on nothing comes through.
    pub(crate) fn hang(&self) {
        self.flow.send_replace(Flow::Nothing);
    }

    /// What was held up comes through, as everything after it.
    pub(crate) fn go_on(&self) {
        self.flow.send_replace(Flow::All);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut flow: watch::Receiver<Flow>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if flow.wait_for(|flow| *flow == Flow::All).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
