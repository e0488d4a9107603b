//! The `inshore` binary: a small language model on this machine, for a person, a script or an OpenAI client.

mod chat;
mod cli;
mod devices;
mod engine;
mod generate;
mod inspect;
mod interrupt;
mod launch_time;
mod models;
mod peak_memory;
mod plan_file;
mod pull;
mod route;
mod server;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Warnings of the program's own crates; RUST_LOG asks for more.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,inshore=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match cli.command {
        Command::Generate(args) => generate::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Serve(args) => server::run(args),
        Command::Devices => devices::run(),
        Command::Inspect(args) => inspect::run(&args),
        Command::Pull(args) => pull::run(&args),
        Command::Route(command) => route::run(&command),
    };
    outcome.unwrap_or_else(|error| {
        report(&error);
        ExitCode::FAILURE
    })
}

/// The error and its causes, a line each. A cause that its parent's message repeats is left out.
fn report(error: &anyhow::Error) {
    let code = error.downcast_ref::<models::ModelFileError>().map(|error| format!("[{}]", error.code()));
    eprintln!("error{}: {error}", code.unwrap_or_default());
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if !said.contains(&text) {
            eprintln!("  because: {text}");
        }
        said = text;
    }
}
