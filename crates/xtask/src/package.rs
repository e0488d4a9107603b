//! `cargo xtask package`: the npm package in `pkg/`, as `npm pack` would take it, checked by publint and attw.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::setup::npm;
use crate::stamp::{self, Fingerprint};
use crate::wasm::{self, BrowserModule};
use crate::workspace::Workspace;

/// What the package's code is made of, besides the modules.
const SOURCES: [&str; 10] = [
    "web/package.mjs",
    "web/modules.mjs",
    "web/notices.mjs",
    "web/licences.mjs",
    "Cargo.lock",
    "web/tsconfig.json",
    "web/tsconfig.package.json",
    "web/package-lock.json",
    "pkg/package.json",
    "pkg/README.md",
];
/// Where the tools are that check it.
const TOOLS: &str = "crates/xtask/node";

/// Builds the modules, then the package.
pub fn run(workspace: &Workspace) -> Result<()> {
    let module = wasm::build(workspace)?;
    build(workspace, &module).map(drop)
}

/// Builds and checks `pkg/` unless its sources and modules are those of the last build. Returns the folder.
pub fn build(workspace: &Workspace, module: &BrowserModule) -> Result<PathBuf> {
    let folder = workspace.path("pkg");
    let web = workspace.path("web");
    let tools = workspace.path(TOOLS);
    npm::install(&web)?;
    npm::install(&tools)?;
    let stamp = folder.join(".package-stamp");
    let fingerprint = fingerprint(workspace, module)?;
    if stamp::is_current(&stamp, &fingerprint) && folder.join("dist/index.js").is_file() {
        process::note(&format!("{} is up to date", folder.display()));
        return Ok(folder);
    }
    process::heading("npm package");
    let _ = fs::remove_file(&stamp);
    process::run(npm::npm()?.current_dir(&web).args(["run", "--silent", "package"]))?;
    check(&tools, &folder)?;
    print_sizes(&folder)?;
    stamp::write(&stamp, &fingerprint)?;
    Ok(folder)
}

fn fingerprint(workspace: &Workspace, module: &BrowserModule) -> Result<String> {
    let mut fingerprint = Fingerprint::new("package").value("module", &module.fingerprint);
    for source in SOURCES {
        fingerprint = fingerprint.file(&workspace.path(source))?;
    }
    fingerprint = fingerprint.file(&workspace.path(TOOLS).join("package-lock.json"))?;
    Ok(fingerprint.tree(&workspace.path("web/src"), &[])?.finish())
}

/// Both pack the package and look at what users would get. ESM only: no `require`, and none of the resolution of Node 10.
fn check(tools: &Path, folder: &Path) -> Result<()> {
    let tool = |file: &str, arguments: &[&str]| {
        let mut command = Command::new("node");
        command.current_dir(folder).arg(tools.join("node_modules").join(file)).args(arguments);
        process::run(&mut command)
    };
    tool("publint/src/cli.js", &["--strict"])?;
    let attw = ["--pack", ".", "--profile", "esm-only", "--format", "ascii", "--no-emoji"];
    tool("@arethetypeswrong/cli/dist/index.js", &attw)
}

/// A line for each file that a browser may load.
fn print_sizes(folder: &Path) -> Result<()> {
    for (part, extension) in [("dist", "js"), ("wasm", "wasm")] {
        let mut files: Vec<PathBuf> = fs::read_dir(folder.join(part))
            .with_context(|| format!("the package has no folder {part}"))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        files.sort();
        for file in files {
            let bytes = fs::read(&file)?;
            let compressed = wasm::brotli_bytes(&bytes)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            process::note(&format!("{:>10} bytes {compressed:>9} in brotli  {part}/{name}", bytes.len()));
        }
    }
    Ok(())
}
