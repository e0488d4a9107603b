//! `cargo xtask check`: formatting, lints, types, and the house rules that no other tool knows.

mod house_rules;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::process;
use crate::setup::npm;
use crate::setup::wasm_target::{self, WasmToolchain};
use crate::workspace::Workspace;

/// What to check.
#[derive(Args)]
pub struct CheckOptions {
    /// One check; all of them if left out.
    #[arg(value_parser = CHECKS.map(|(name, _)| name))]
    name: Option<String>,
}

type Check = fn(&Workspace) -> Result<()>;

/// All checks, the quick ones first.
const CHECKS: [(&str, Check); 5] = [
    ("house-rules", house_rules::check),
    ("formatting", formatting),
    ("typescript", typescript),
    ("clippy", clippy),
    ("clippy-wasm", clippy_for_wasm),
];

/// Runs the checks, also after one has failed, and ends with the list of those that did.
pub fn run(workspace: &Workspace, options: &CheckOptions) -> Result<()> {
    let start = Instant::now();
    let chosen: Vec<_> =
        CHECKS.iter().filter(|(name, _)| options.name.as_ref().is_none_or(|chosen| chosen == name)).collect();
    let mut failed = Vec::new();
    for (name, check) in &chosen {
        process::heading(&format!("Check: {name}"));
        if let Err(error) = check(workspace) {
            process::note(&format!("error: {error:#}"));
            failed.push(*name);
        }
    }
    let passed = chosen.len() - failed.len();
    println!("\n{passed} of {} checks passed in {}", chosen.len(), process::seconds(start.elapsed()));
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
    for name in ["web", "worker"] {
        let folder = workspace.path(name);
        npm::install(&folder)?;
        for script in ["typecheck", "lint"] {
            process::run(npm::npm()?.current_dir(&folder).args(["run", "--silent", script]))?;
        }
    }
    Ok(())
}
