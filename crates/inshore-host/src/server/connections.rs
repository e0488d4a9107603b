//! Accepts connections, and closes those of clients that send no request, send it too slowly, or do not read their answer.
//! Such clients could otherwise hold all connections forever.

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

/// Limits and timeouts of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections at a time; further ones wait to be accepted. Far fewer than the 1,024 files that many systems allow a process
    /// to open, because a connection may also hold the model file open.
    pub connections: usize,
    /// Time for the first request's head.
    pub first_request: Duration,
    /// Time for the head of a later request, and so the longest idle time of a connection.
    pub next_request: Duration,
    /// Longest time without a read by the client while data is waiting.
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
/// Interval of HTTP/2 pings, and the time for their answer.
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
            // The client left before its connection was accepted.
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
    // Each token is a small packet, which must not wait for the next one (Nagle's algorithm).
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
