//! Serving until Ctrl-C, SIGTERM or the end of the engine.

use std::time::Duration;

use anyhow::bail;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::connections::{self, ConnectionLimits};
use super::engine_thread::EngineThread;
use crate::note;

/// A running answer may take so long after the request to stop; then it is ended with an error event.
const GRACE: Duration = Duration::from_secs(5);
/// Connections that do not close even then are dropped.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves; afterwards the running answer may finish.
///
/// # Errors
/// If the model cannot be loaded, or the engine's thread ends although no request can end it.
pub async fn serve_until_stopped(
    listener: TcpListener,
    app: Router,
    engine: EngineThread,
    engine_ended: oneshot::Receiver<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let (close, on_close) = oneshot::channel::<()>();
    let closed = async {
        let _ = on_close.await;
    };
    let mut server = std::pin::pin!(connections::serve(listener, app, ConnectionLimits::default(), closed));
    tokio::select! {
        () = &mut server => return Ok(()),
        ended = engine_ended => match ended {
            Ok(result) => return result,
            Err(_) => bail!("the engine broke down; this is a bug, please report it with the lines above"),
        },
        () = stop_signal() => {}
    }
    note!("stopping; once more to stop at once");
    engine.stop_accepting();
    let _ = close.send(());
    tokio::select! {
        () = &mut server => return Ok(()),
        () = tokio::time::sleep(GRACE) => engine.cancel_running(),
        () = stop_signal() => engine.cancel_running(),
    }
    // A client that does not read must not keep the program from ending.
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
