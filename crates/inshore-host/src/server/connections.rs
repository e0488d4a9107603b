//! Accepts connections, and ends those whose client does not take part: one that sends no request, sends it too slowly, or
//! does not read. Such clients could otherwise hold all connections for ever.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

/// How patient the server is with its clients.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections at a time; further ones wait to be accepted. Well below the 1,024 files that many systems let a process
    /// open, as a connection may also hold the model file open.
    pub connections: usize,
    /// Time for the first request's head.
    pub first_request: Duration,
    /// Time for the head of a later request, and so the longest idle time of a connection.
    pub next_request: Duration,
    /// Longest time in which a client reads nothing that waits for it.
    pub stalled_write: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            first_request: Duration::from_secs(10),
            next_request: Duration::from_secs(60),
            stalled_write: Duration::from_secs(30),
        }
    }
}

/// Answers in one HTTP/2 connection at a time.
const MAX_STREAMS: u32 = 32;
/// How often an HTTP/2 client is asked whether it is still there, and how long it has to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Wait after the system refused a connection, e.g. because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves `app` until `stop` is ready; then waits until the requests in progress are answered.
pub async fn serve(listener: TcpListener, app: Router, limits: ConnectionLimits, stop: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, accept(&listener).await)
        };
        let (slot, stream) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let connection = serve_connection(stream, app.clone(), limits, graceful.watcher());
        tokio::spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client was gone before it was accepted.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, app: Router, limits: ConnectionLimits, watcher: Watcher) {
    // Each token is a small packet of its own, which must not wait for the next.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.stalled_write));
    let has_asked = Arc::new(AtomicBool::new(false));
    let app = TowerToHyperService::new(app);
    let service = service_fn({
        let has_asked = Arc::clone(&has_asked);
        move |request: hyper::Request<Incoming>| {
            has_asked.store(true, Ordering::Relaxed);
            let answer = app.call(request);
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.next_request);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS);
    let connection = builder.serve_connection(TokioIo::new(Box::pin(stream)), service).into_owned();
    let no_request = async {
        tokio::time::sleep(limits.first_request).await;
        if has_asked.load(Ordering::Relaxed) {
            pending().await
        }
    };
    tokio::select! {
        // An error here is the client's: it left, or does not speak HTTP.
        _ = watcher.watch(connection) => {}
        () = no_request => {}
    }
}
