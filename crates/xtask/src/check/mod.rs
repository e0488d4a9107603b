//! `cargo xtask check`: formatting, lints, types, and the house rules that no other tool knows.

mod house_rules;
mod unsafe_code;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::process;
use crate::setup::npm;
use crate::setup::wasm_target::{self, WasmToolchain};
use crate::workspace::Workspace;

/// Runs every check, even after one has failed, and ends with the list of those that did.
pub fn run(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    let checks: [(&str, fn(&Workspace) -> Result<()>); 6] = [
        ("house rules", house_rules::check),
        ("unsafe code", unsafe_code::check),
        ("formatting", formatting),
        ("TypeScript", typescript),
        ("clippy", clippy),
        ("clippy for wasm", clippy_for_wasm),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        process::heading(&format!("Check: {name}"));
        if let Err(error) = check(workspace) {
            process::note(&format!("error: {error:#}"));
            failed.push(name);
        }
    }
    let count = checks.len() - failed.len();
    println!("\n{count} of {} checks passed in {}", checks.len(), process::seconds(start.elapsed()));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn formatting(workspace: &Workspace) -> Result<()> {
    process::run(process::cargo(&workspace.root).args(["fmt", "--all", "--check"]))
}

/// xtask apart from the rest, for the reason given in the test suites: one set of features for what Burn shares.
fn clippy(workspace: &Workspace) -> Result<()> {
    for packages in [["-p", "xtask"].as_slice(), &["--workspace", "--exclude", "xtask"]] {
        let mut command = process::cargo(&workspace.root);
        command.args(["clippy", "--release", "--all-targets"]).args(packages).args(["--", "-D", "warnings"]);
        process::run(&mut command)?;
    }
    Ok(())
}

fn clippy_for_wasm(workspace: &Workspace) -> Result<()> {
    let toolchain = wasm_target::ensure(workspace)?;
    if toolchain != WasmToolchain::Rustup {
        process::note("left out: Debian's toolchain has no clippy");
        return Ok(());
    }
    let mut command = toolchain.cargo(workspace, "clippy");
    process::run(command.args(["--profile", "wasm", "-p", "inshore-wasm", "--", "-D", "warnings"]))
}

fn typescript(workspace: &Workspace) -> Result<()> {
    let folder = workspace.path("web");
    npm::install(&folder)?;
    for script in ["typecheck", "lint"] {
        process::run(npm::npm()?.current_dir(&folder).args(["run", "--silent", script]))?;
    }
    Ok(())
}
