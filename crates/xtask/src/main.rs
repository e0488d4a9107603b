//! All automation of inshore: `cargo xtask setup | wasm | package | demo | test | bench | check | fuzz`.
//!
//! Every command sets up what it needs and skips what is already there; started twice, it does nothing twice.

mod bench;
mod check;
mod demo;
mod fuzz;
mod package;
mod process;
mod setup;
mod stamp;
mod test;
mod wasm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, tests and shows inshore. Every command sets up what it needs first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the other commands need: wasm target, system packages, npm packages, the default model.
    Setup,
    /// Build the browser's WebAssembly modules and their JavaScript into pkg/wasm.
    Wasm(wasm::WasmOptions),
    /// Build the npm package in pkg, check it with publint and attw, and print its sizes.
    Package,
    /// Serve the demo page as soon as a CPU can answer (or ask it one question in a headless browser); the rest is built meanwhile.
    Demo(demo::DemoOptions),
    /// Run every test: Rust, the CPU kernels as WebAssembly, TypeScript, tokenizer against llama.cpp, the browser, the npm package.
    Test(test::TestOptions),
    /// Measure our engine and its peers on the same weights and prompts.
    Bench(bench::BenchOptions),
    /// Check formatting, lints, types and the house rules.
    Check(check::CheckOptions),
    /// Fuzz the parsers of untrusted bytes.
    Fuzz(fuzz::FuzzOptions),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // Without the backtrace that anyhow would add: the text says what to do.
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Setup => setup::everything(&workspace),
        Task::Wasm(options) => wasm::run(&workspace, &options),
        Task::Package => package::run(&workspace),
        Task::Demo(options) => demo::run(&workspace, &options),
        Task::Test(options) => test::run(&workspace, &options),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::Check(options) => check::run(&workspace, &options),
        Task::Fuzz(options) => fuzz::run(&workspace, &options),
    }
}
