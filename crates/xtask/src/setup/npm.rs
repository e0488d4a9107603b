//! npm packages, installed from the lock file and only when it changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::stamp::{self, Fingerprint};
use crate::workspace::Workspace;

/// The oldest Node.js that the tools and tests run on.
const MINIMUM_NODE: u32 = 20;

/// The folder whose optional packages are prebuilt llama.cpp libraries for GPUs, hundreds of megabytes that no test uses.
const WITHOUT_OPTIONAL: &str = "tests/tokenizer";

/// All folders of the checkout with npm packages of their own.
pub fn folders(workspace: &Workspace) -> Vec<PathBuf> {
    ["crates/xtask/node", "web", "worker", WITHOUT_OPTIONAL, "tests/frameworks", "tests/browser"]
        .iter()
        .map(|folder| workspace.path(folder))
        .filter(|folder| folder.join("package.json").is_file())
        .collect()
}

/// Installs a folder's packages unless its manifest, lock and Node.js are those of the last installation.
///
/// Install scripts are left out: none of the packages needs one, because native parts come as optional packages.
pub fn install(folder: &Path) -> Result<()> {
    let node = node_version()?;
    let stamp = folder.join("node_modules").join(".inshore-stamp");
    if stamp::is_current(&stamp, &fingerprint(folder, &node)?) {
        return Ok(());
    }
    process::heading(&format!("npm packages of {}", folder.display()));
    let mut command = npm()?;
    // Not `npm ci`: it refuses a lock without the optional packages of other platforms, and mirrors do not have all of
    // them. With a lock, this installs the same versions.
    command.current_dir(folder).args(["install", "--no-save"]);
    command.args(["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    if folder.ends_with(WITHOUT_OPTIONAL) {
        command.arg("--omit=optional");
    }
    process::run(&mut command).with_context(|| {
        format!("the npm packages of {} are not installed; is the npm registry reachable?", folder.display())
    })?;
    stamp::write(&stamp, &fingerprint(folder, &node)?)
}

fn fingerprint(folder: &Path, node: &str) -> Result<String> {
    let manifest = Fingerprint::new("npm").value("node", node).file(&folder.join("package.json"))?;
    Ok(manifest.file(&folder.join("package-lock.json"))?.finish())
}

/// `npm`, which is a script of another name on Windows.
pub fn npm() -> Result<Command> {
    node_version()?;
    Ok(Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" }))
}

fn node_version() -> Result<String> {
    let text = process::output(Command::new("node").arg("--version"))
        .with_context(|| format!("Node.js is missing: install Node.js {MINIMUM_NODE} or newer, with npm"))?;
    let version = text.trim().to_owned();
    match major(&version) {
        Some(found) if found >= MINIMUM_NODE => Ok(version),
        _ => bail!("Node.js {version} is too old: install Node.js {MINIMUM_NODE} or newer"),
    }
}

fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v8.1.0"), Some(8));
        assert_eq!(major("nightly"), None);
    }
}
