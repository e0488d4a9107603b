//! `inshore serve`: the OpenAI chat-completions protocol, the model file and a web page over HTTP.
//!
//! It listens at once and loads meanwhile: `/health` says `loading` (503) until the model can answer, then `ok` (200), and
//! completions before that get 503 with `Retry-After`. One thread owns the engine and answers one request after the
//! other; a client that goes away takes its request with it. A request that breaks the engine is answered with an error,
//! and the engine is loaded again.

mod byte_range;
mod chat_completions;
mod connections;
mod cors;
mod engine_thread;
mod health;
mod host_check;
mod model_files;
mod openai;
mod routes;
mod shutdown;
mod sse;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::cli::ServeArgs;
use crate::{engine, note, output};
use engine_thread::EngineThread;
use model_files::ServedModel;

/// What every handler sees.
#[derive(Debug, Clone)]
pub struct AppState {
    engine: EngineThread,
    model: Arc<ServedModel>,
}

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// If there is no model, the address is taken, the model cannot be loaded, or the engine dies.
pub fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    if let Some(web) = &args.web {
        anyhow::ensure!(web.is_dir(), "{} is not a folder; build the page first, or leave --web out", web.display());
    }
    let access = routes::Access::of(&args)?;
    let file = engine::obtain(&args.model)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let address = SocketAddr::new(args.host, args.port);
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; choose another --port, or end the program that has it")
        })?;
        let url = format!("http://{}", listener.local_addr()?);
        let (engine, ended) = EngineThread::start(&args, file.clone())?;
        let state = AppState { engine: engine.clone(), model: Arc::new(ServedModel::new(file)) };
        output::print_line(format_args!("inshore is listening on {url}"))?;
        note!("loading {}; OpenAI clients: base URL {url}/v1, model `{}`", state.model.name(), state.model.name());
        let app = routes::all(state, &args, access);
        shutdown::serve_until_stopped(listener, app, engine, ended).await
    })?;
    Ok(ExitCode::SUCCESS)
}
