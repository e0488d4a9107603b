//! What the contestants need: packages, other forms of the weights. A peer that cannot be set up is absent, with the reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::contestant::{Contestant, Runner, Weights};
use super::variants;
use crate::process;
use crate::setup::npm;
use crate::stamp::{self, Fingerprint};
use crate::workspace::Workspace;

/// Name of the model's folder below the one that transformers.js looks into.
const ONNX_MODEL: &str = "smollm2";

/// Where everybody's weights are, or why a contestant is absent.
pub struct Peers {
    packages: Option<String>,
    browser_packages: Option<String>,
    weights: BTreeMap<Weights, Result<PathBuf, String>>,
}

impl Peers {
    /// Sets up what `chosen` need; `files` is the folder for what is made once.
    pub fn set_up(workspace: &Workspace, chosen: &[&Contestant], model: &Path, files: &Path) -> Self {
        let reason = |result: Result<()>| result.err().map(|error| first_lines(&format!("{error:#}")));
        let is_chosen = |test: fn(&Contestant) -> bool| chosen.iter().any(|contestant| test(contestant));
        let packages = if is_chosen(|contestant| !contestant.is_ours()) {
            reason(npm::install(&workspace.path("tests/bench")))
        } else {
            None
        };
        let browser_packages =
            if is_chosen(Contestant::is_web) { reason(npm::install(&workspace.path("tests/browser"))) } else { None };
        let mut weights = BTreeMap::new();
        for contestant in chosen.iter().filter(|_| packages.is_none()) {
            weights.entry(contestant.weights).or_insert_with(|| {
                let made = match contestant.weights {
                    Weights::Model => Ok(model.to_owned()),
                    Weights::Q8_0 => variants::as_q8_0(model, files),
                    Weights::OnnxFp32 | Weights::OnnxInt8 | Weights::OnnxQ8 => {
                        onnx(workspace, contestant, model, files)
                    }
                };
                made.map_err(|error| first_lines(&format!("{error:#}")))
            });
        }
        Self { packages, browser_packages, weights }
    }

    /// The file or folder of the contestant's weights, or why it cannot take part.
    pub fn weights_of<'a>(&'a self, contestant: &Contestant, model: &'a Path) -> Result<&'a Path, String> {
        if let Some(reason) = self.browser_packages.as_ref().filter(|_| contestant.is_web()) {
            return Err(reason.clone());
        }
        if contestant.is_ours() {
            return Ok(model);
        }
        if let Some(reason) = &self.packages {
            return Err(reason.clone());
        }
        match self.weights.get(&contestant.weights) {
            Some(Ok(path)) => Ok(path),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("its weights were not made".to_owned()),
        }
    }
}

/// An ONNX of the model's weights, made by Python in an environment of its own; gives the folder for `localModelPath`.
fn onnx(workspace: &Workspace, contestant: &Contestant, model: &Path, files: &Path) -> Result<PathBuf> {
    let Runner::Transformers(dtype) = contestant.runner else { bail!("only transformers.js reads ONNX") };
    let folder = files.join("onnx").join(format!("{dtype}-{}", model.file_stem().unwrap_or_default().display()));
    let script = workspace.path("tests/bench/onnx/make_onnx.py");
    let size = fs::metadata(model)?.len();
    let fingerprint = Fingerprint::new("onnx").file(&script)?.value("bytes", &size.to_string()).finish();
    let stamp = folder.join("stamp");
    if stamp::is_current(&stamp, &fingerprint) {
        return Ok(folder);
    }
    let python = python(workspace, files)?;
    process::heading(&format!("The weights as ONNX, {dtype}"));
    fs::create_dir_all(&folder)?;
    process::run(Command::new(python).arg(script).arg(model).arg(folder.join(ONNX_MODEL)).arg(dtype))?;
    stamp::write(&stamp, &fingerprint)?;
    Ok(folder)
}

/// A Python with the packages of `requirements.txt`.
fn python(workspace: &Workspace, files: &Path) -> Result<PathBuf> {
    let folder = files.join("venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let requirements = workspace.path("tests/bench/onnx/requirements.txt");
    let fingerprint = Fingerprint::new("venv").file(&requirements)?.finish();
    let stamp = folder.join("stamp");
    if stamp::is_current(&stamp, &fingerprint) {
        return Ok(python);
    }
    process::heading("Python packages that write ONNX");
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .context("transformers.js needs an ONNX file, which Python 3 with venv makes (Debian: python3-venv)")?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    stamp::write(&stamp, &fingerprint)?;
    Ok(python)
}

/// Enough of a long message to know what is missing.
fn first_lines(text: &str) -> String {
    text.lines().take(3).collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contestant::find;

    #[test]
    fn a_failed_installation_makes_peers_absent_and_leaves_ours() {
        let peers = Peers { packages: Some("no network".to_owned()), browser_packages: None, weights: BTreeMap::new() };
        let of = |id: &str| peers.weights_of(find(id).expect("known"), Path::new("m.gguf")).map(Path::to_owned);
        assert_eq!(of("native-1"), Ok(PathBuf::from("m.gguf")));
        assert_eq!(of("simd-1"), Ok(PathBuf::from("m.gguf")));
        assert_eq!(of("llamacpp-1"), Err("no network".to_owned()));
        let peers = Peers { packages: None, browser_packages: Some("no playwright".to_owned()), ..peers };
        let of = |id: &str| peers.weights_of(find(id).expect("known"), Path::new("m.gguf")).map(Path::to_owned);
        assert_eq!(of("simd-1"), Err("no playwright".to_owned()));
        assert!(of("wllama-q8-1").is_err());
    }
}
