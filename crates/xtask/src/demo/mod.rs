//! `cargo xtask demo`: the page as soon as a CPU can answer on it, the rest in the background; on request one question in
//! a headless browser.

mod background;
pub mod page;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::process;
use crate::setup::model::{self, ReadyModel};
use crate::setup::system_packages::{self, BROWSER_VARIABLE};
use crate::setup::{npm, wasm_target};
use crate::wasm;
use crate::workspace::Workspace;
use background::Progress;
use page::OldFiles;
use server::{ServeOptions, Server};

/// How often the foreground looks at the server while it waits for news of the background.
const POLL: Duration = Duration::from_millis(250);
/// The folders with npm packages that the page, its modules and the headless question need.
const NPM_FOLDERS: [&str; 3] = ["crates/xtask/node", "web", "tests/browser"];

/// How to show it.
#[derive(Args)]
pub struct DemoOptions {
    /// Ask one question in headless Chromium, print the answer with its timings, and end.
    #[arg(long)]
    headless: bool,
    /// Port of the page; with --headless a free one is taken instead.
    #[arg(long, default_value_t = 8040)]
    port: u16,
    /// Where the engine runs: a GPU if there is one, or as asked. `gpu` waits for the GPU's build.
    #[arg(long, default_value = "auto", value_parser = ["auto", "gpu", "cpu"])]
    device: String,
    /// The question of --headless.
    #[arg(long, default_value = "What is the capital of France?")]
    question: String,
    /// Build everything before the page is served, instead of in the background.
    #[arg(long)]
    complete: bool,
}

/// Builds, fetches and serves.
pub fn run(workspace: &Workspace, options: &DemoOptions) -> Result<()> {
    let start = Instant::now();
    let (ready, web) = build(workspace, options)?;
    process::heading("Serving");
    // Headless, only the page's engine is asked: the server's own stays on the CPU, which is always there.
    let (port, device) = if options.headless { (0, "cpu") } else { (options.port, options.device.as_str()) };
    let serve = ServeOptions { host: &ready.host, model: &ready.path, web: &web, device, port };
    let server = Server::start(&serve)?;
    process::note(&format!("ready {} after the start of this command", process::seconds(start.elapsed())));
    if options.headless {
        return ask(workspace, options, &server);
    }
    let url = format!("{}/?device={}", server.url, options.device);
    println!("\n    inshore is at {url}\n    Open it in a browser; Ctrl-C ends it.\n");
    thread::scope(|scope| {
        let (tell, progress) = channel();
        let with_host = options.device != "cpu" && !model::has_gpu_support(workspace, &ready.host);
        scope.spawn(move || background::build_the_rest(workspace, with_host, &tell));
        let result = attend(server, &serve, &progress);
        if let Err(error) = &result {
            eprintln!("\nerror: {error:#}");
        }
        // The background may still be compiling, but its result is no longer needed.
        std::process::exit(i32::from(result.is_err()))
    })
}

/// Builds everything that the page needs to answer. Packages are installed while the compiler runs.
fn build(workspace: &Workspace, options: &DemoOptions) -> Result<(ReadyModel, PathBuf)> {
    let gpu = options.device == "gpu";
    process::note("First the host and the page for a CPU; faster modules and GPU support follow in the background.");
    let ready = thread::scope(|scope| {
        let packages = scope.spawn(|| install_packages(workspace, options.headless));
        let ready = if options.complete || (gpu && !options.headless) {
            model::ensure(workspace)
        } else {
            model::ensure_with_first_host(workspace)
        };
        packages.join().map_err(|_| anyhow!("installing packages panicked; its message is above"))??;
        ready
    })?;
    let modules = if options.complete { wasm::build(workspace)? } else { wasm::build_first(workspace, gpu)? };
    Ok((ready, page::build(workspace, &modules, OldFiles::Remove)?))
}

fn install_packages(workspace: &Workspace, headless: bool) -> Result<()> {
    wasm_target::ensure(workspace)?;
    if headless {
        system_packages::browser()?;
    }
    NPM_FOLDERS.iter().try_for_each(|folder| npm::install(&workspace.path(folder)))
}

/// Waits until the server ends, prints the background's messages, and switches to a host with GPU support if there is a GPU.
fn attend(mut server: Server, serve: &ServeOptions<'_>, progress: &Receiver<Progress>) -> Result<()> {
    loop {
        match progress.recv_timeout(POLL) {
            Ok(Progress::Note(text)) => process::note(&text),
            Ok(Progress::Host(host)) => server = move_to(server, serve, &host)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(POLL),
        }
        if let Some(status) = server.ended()? {
            if !status.success() {
                bail!("the server ended ({status}); its own message is above");
            }
            return Ok(());
        }
    }
}

fn move_to(server: Server, serve: &ServeOptions<'_>, host: &Path) -> Result<Server> {
    if !background::finds_hardware_gpu(host)? {
        process::note("everything is built; there is no hardware GPU here, so the server goes on as it is");
        return Ok(server);
    }
    process::note("GPU support is ready: the server starts again on the GPU, after the answers that are running");
    server.stop()?;
    Server::start(&ServeOptions { host, ..*serve })
}

fn ask(workspace: &Workspace, options: &DemoOptions, server: &Server) -> Result<()> {
    process::heading("One question in headless Chromium");
    // Headless Chromium has no GPU by itself; asked for one, it brings a software one.
    let flags = if options.device == "gpu" { "swiftshader" } else { "plain" };
    let mut command = Command::new("node");
    command.current_dir(workspace.path("tests/browser")).env(BROWSER_VARIABLE, system_packages::browser()?);
    command.args(["ask.mjs", "--url", &server.url, "--question", &options.question]);
    process::run(command.args(["--device", &options.device, "--flags", flags]))?;
    let missing = wasm::available(workspace)?.missing;
    if !missing.is_empty() {
        process::note(&format!("not built yet: {}; `cargo xtask wasm` builds them", missing.join(", ")));
    }
    Ok(())
}
