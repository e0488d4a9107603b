//! What the demo builds while the page already answers: the faster modules, WebGPU, and GPU support in the host.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::Sender;
use std::time::Instant;

use anyhow::{Context, Result};

use super::page::{self, OldFiles};
use crate::process;
use crate::setup::model;
use crate::wasm;
use crate::workspace::Workspace;

/// Messages to the foreground.
pub enum Progress {
    /// A line for the terminal.
    Note(String),
    /// The host with GPU support, which can replace the running one.
    Host(PathBuf),
}

/// Builds everything that is missing, at the lowest priority and with its output in a log. Run it on its own thread.
pub fn build_the_rest(workspace: &Workspace, with_host: bool, progress: &Sender<Progress>) {
    let log = workspace.target.join("demo-background.log");
    // If the foreground has ended, the process ends soon too.
    let tell = |text: String| drop(progress.send(Progress::Note(text)));
    match File::create(&log) {
        Ok(file) => process::run_in_background(file),
        Err(error) => return tell(format!("nothing more is built: {} cannot be written ({error})", log.display())),
    }
    let result = build_modules(workspace, &tell, &log).and_then(|()| {
        if with_host {
            tell("building GPU support for the host (about 10 minutes the first time)".to_owned());
            let host = model::build_host(workspace)?;
            let _ = progress.send(Progress::Host(host));
        }
        Ok(())
    });
    if let Err(error) = result {
        tell(format!("the background build stopped: {error:#}. Its output is in {}", log.display()));
    }
}

fn build_modules(workspace: &Workspace, tell: &dyn Fn(String), log: &Path) -> Result<()> {
    let missing = wasm::available(workspace)?.missing;
    if missing.is_empty() {
        return Ok(());
    }
    tell(format!("building in the background: {}; output in {}", missing.join(", "), log.display()));
    for name in missing {
        let start = Instant::now();
        wasm::build_missing(workspace, name)?;
        page::build(workspace, &wasm::available(workspace)?, OldFiles::Keep)?;
        tell(format!("{name} is ready after {}: reload the page to use it", process::seconds(start.elapsed())));
    }
    Ok(())
}

/// Whether this host finds a GPU that is not an emulation.
pub fn finds_hardware_gpu(host: &Path) -> Result<bool> {
    let listed = process::output(Command::new(host).arg("devices")).context("could not ask for the devices")?;
    let taken = listed.lines().find_map(|line| line.strip_prefix("auto takes: "));
    let cpu = listed.lines().find_map(|line| line.strip_prefix("cpu")).unwrap_or_default();
    Ok(taken.is_some_and(|name| !cpu.trim_start().starts_with(name)))
}
