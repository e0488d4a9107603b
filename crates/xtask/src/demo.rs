//! `cargo xtask demo`: everything built, the page served, and on request one question asked in a headless browser.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::process;
use crate::serve::{ServeOptions, Server};
use crate::setup::system_packages::{self, BROWSER_VARIABLE};
use crate::setup::{model, npm};
use crate::stamp::{self, Fingerprint};
use crate::wasm::{self, BrowserModule};
use crate::workspace::Workspace;

/// How to show it.
#[derive(Args)]
pub struct DemoOptions {
    /// Ask one question in headless Chromium, print the answer with its timings, and end.
    #[arg(long)]
    headless: bool,
    /// Port of the page; with --headless a free one is taken instead.
    #[arg(long, default_value_t = 8040)]
    port: u16,
    /// Where the engine runs: a GPU if there is one, or as asked.
    #[arg(long, default_value = "auto", value_parser = ["auto", "gpu", "cpu"])]
    device: String,
    /// The question of --headless.
    #[arg(long, default_value = "What is the capital of France?")]
    question: String,
}

/// Builds, fetches and serves.
pub fn run(workspace: &Workspace, options: &DemoOptions) -> Result<()> {
    let start = Instant::now();
    let ready = model::ensure(workspace)?;
    let web = build_page(workspace, &wasm::build(workspace)?)?;
    let browser = if options.headless { Some(system_packages::browser()?) } else { None };

    process::heading("Serving");
    // Headless, only the page's engine is asked: the server's own stays on the CPU, which is always there.
    let (port, device) = if options.headless { (0, "cpu") } else { (options.port, options.device.as_str()) };
    let server = Server::start(&ServeOptions { host: &ready.host, model: &ready.path, web: &web, device, port })?;
    process::note(&format!("ready {} after the start of this command", process::seconds(start.elapsed())));

    let Some(browser) = browser else {
        let url = format!("{}/?device={}", server.url, options.device);
        println!("\n    inshore is at {url}\n    Open it in a browser; Ctrl-C ends it.\n");
        let status = server.wait()?;
        if !status.success() {
            bail!("the server ended ({status}); its own message is above");
        }
        return Ok(());
    };

    process::heading("One question in headless Chromium");
    let folder = workspace.path("tests/browser");
    npm::install(&folder)?;
    // Headless Chromium has no GPU by itself; asked for one, it brings a software one.
    let flags = if options.device == "gpu" { "swiftshader" } else { "plain" };
    let mut command = Command::new("node");
    command.current_dir(&folder).env(BROWSER_VARIABLE, browser);
    command.args(["ask.mjs", "--url", &server.url, "--question", &options.question]);
    process::run(command.args(["--device", &options.device, "--flags", flags]))
}

/// Builds the page into `web/dist` unless its sources and the module are those of the last build.
pub fn build_page(workspace: &Workspace, module: &BrowserModule) -> Result<PathBuf> {
    let folder = workspace.path("web");
    let output = folder.join("dist");
    npm::install(&folder)?;
    let fingerprint = Fingerprint::new("page")
        .value("module", &module.fingerprint)
        .value("module at", &module.folder.display().to_string())
        .tree(&folder, &["node_modules", "dist"])?
        .finish();
    let stamp = folder.join("node_modules/.inshore-page-stamp");
    if stamp::is_current(&stamp, &fingerprint) && output.join("index.html").is_file() {
        return Ok(output);
    }
    process::heading("Page");
    process::run(npm::npm()?.current_dir(&folder).args(["run", "--silent", "build"]))?;
    if !output.join("index.html").is_file() {
        bail!("`npm run build` in web/ left no dist/index.html");
    }
    stamp::write(&stamp, &fingerprint)?;
    Ok(output)
}
