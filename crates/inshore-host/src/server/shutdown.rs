//! Serving until Ctrl-C, SIGTERM or the end of the engine.

use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::engine_thread::EngineThread;

/// A running answer may take so long after the request to stop; then it is ended with an error event.
const GRACE: Duration = Duration::from_secs(5);
/// Connections that do not close even then are dropped.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves; afterwards the running answer may finish.
///
/// # Errors
/// If the model cannot be loaded, the engine dies or the socket breaks.
pub async fn serve_until_stopped(
    listener: TcpListener,
    app: Router,
    engine: EngineThread,
    engine_ended: oneshot::Receiver<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let (close, on_close) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        let _ = on_close.await;
    });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        served = &mut server => return served.context("the socket broke"),
        ended = engine_ended => match ended {
            Ok(result) => return result,
            Err(_) => bail!("the engine broke down; this is a bug, please report it with the lines above"),
        },
        () = stop_signal() => {}
    }
    eprintln!("stopping; once more to stop at once");
    engine.stop_accepting();
    let _ = close.send(());
    tokio::select! {
        served = &mut server => return served.context("the socket broke"),
        () = tokio::time::sleep(GRACE) => engine.cancel_running(),
        () = stop_signal() => engine.cancel_running(),
    }
    // Whoever does not read cannot hold the program.
    let _ = tokio::time::timeout(LAST_WORDS, server).await;
    Ok(())
}

/// Ready at Ctrl-C or SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
