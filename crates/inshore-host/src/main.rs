//! The `inshore` binary: a small language model on this machine, for a person, a script or an OpenAI client.

mod chat;
mod chat_lines;
mod cli;
mod devices;
mod driver_noise;
mod engine;
mod generate;
mod inspect;
mod interrupt;
mod launch_time;
mod models;
mod output;
mod peak_memory;
mod plan_file;
mod prompt_file;
mod pull;
mod route;
mod server;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use output::OutputError;

fn main() -> ExitCode {
    driver_noise::silence();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return explain(&message),
    };
    // Warnings of the program's own crates; RUST_LOG asks for more.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,inshore=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log line that cannot be written would panic otherwise.
    log.log_internal_errors(false).init();
    let outcome = match cli.command {
        Command::Generate(args) => generate::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Serve(args) => server::run(args),
        Command::Devices => devices::run(),
        Command::Inspect(args) => inspect::run(&args),
        Command::Pull(args) => pull::run(&args),
        Command::Route(command) => route::run(&command),
    };
    outcome.unwrap_or_else(|error| fail(&error))
}

/// Prints a message of clap: help and version to standard output, errors to standard error.
fn explain(message: &clap::Error) -> ExitCode {
    if message.use_stderr() {
        let _ = message.print();
        return u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    let printed = message.print().map_err(OutputError::from);
    printed.map_or_else(|error| fail(&error.into()), |()| ExitCode::SUCCESS)
}

/// Reports the error with its causes, one line each. A cause that its parent's message repeats is left out.
fn fail(error: &anyhow::Error) -> ExitCode {
    if let Some(OutputError::Closed) = error.downcast_ref() {
        return ExitCode::SUCCESS;
    }
    let code = error.downcast_ref::<models::ModelFileError>().map(|error| format!("[{}]", error.code()));
    note!("error{}: {error}", code.unwrap_or_default());
    let mut parent = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if !parent.contains(&text) {
            note!("  because: {text}");
        }
        parent = text;
    }
    ExitCode::FAILURE
}
