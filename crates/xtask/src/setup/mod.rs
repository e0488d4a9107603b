//! What the commands need on the machine, installed where that is possible and explained where it is not.

pub mod model;
pub mod npm;
pub mod python;
pub mod system_packages;
pub mod wasm_target;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// `cargo xtask setup`: all of it, so that the other commands can then work offline.
pub fn everything(workspace: &Workspace) -> Result<()> {
    process::heading("Setting up");
    let toolchain = wasm_target::ensure(workspace)?;
    process::note(&format!("wasm target: {toolchain}"));
    system_packages::vulkan()?;
    let browser = system_packages::browser()?;
    process::note(&format!("browser: {}", browser.display()));
    for folder in npm::folders(workspace) {
        npm::install(&folder)?;
    }
    let model = model::ensure(workspace)?;
    process::note(&format!("model: {}", model.path.display()));
    Ok(())
}
