//! `cargo xtask fuzz`: cargo-fuzz on every `crates/*/fuzz`, and the page's own fuzzer, for a while each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process;
use crate::setup::npm;
use crate::workspace::Workspace;

/// The target that is TypeScript: `web/fuzz.mjs`, on the reader of other people's streams.
const STREAMS: &str = "chat_stream";

/// What to fuzz and for how long.
#[derive(Args)]
pub struct FuzzOptions {
    /// One target; all of them if left out.
    target: Option<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// A fuzz target and the crate that it belongs to.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    name: String,
    folder: PathBuf,
}

/// Runs the targets one after another; the first crash ends it, with the input kept in `fuzz/artifacts`.
pub fn run(workspace: &Workspace, options: &FuzzOptions) -> Result<()> {
    let all = targets(&workspace.path("crates"))?;
    let mut known: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
    known.push(STREAMS);
    if let Some(name) = options.target.as_deref().filter(|name| !known.contains(name)) {
        bail!("there is no fuzz target {name}; there are {}", known.join(", "));
    }
    let is_chosen = |name: &str| options.target.as_deref().is_none_or(|chosen| chosen == name);
    if is_chosen(STREAMS) {
        fuzz_streams(workspace, options.seconds)?;
    }
    let chosen: Vec<&Target> = all.iter().filter(|target| is_chosen(&target.name)).collect();
    if chosen.is_empty() {
        return Ok(());
    }
    install()?;
    let nightly = has_nightly();
    if !nightly {
        process::note(
            "no nightly toolchain: the default one runs with RUSTC_BOOTSTRAP=1, which allows the sanitizer's flags",
        );
    }
    for target in chosen {
        process::heading(&format!("Fuzzing {} for {} s", target.name, options.seconds));
        let mut command = process::cargo(&target.folder);
        if nightly {
            command.arg("+nightly");
        } else {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command.env("CARGO_TARGET_DIR", workspace.target.join("fuzz"));
        command.args(["fuzz", "run", &target.name, "--"]);
        command.arg(format!("-max_total_time={}", options.seconds));
        process::run(&mut command).with_context(|| {
            format!("{} found something: its input is in {}/fuzz/artifacts", target.name, target.folder.display())
        })?;
    }
    Ok(())
}

/// Streams of answers, changed and cut at random: never a shorter answer as a success, never an error without a type.
fn fuzz_streams(workspace: &Workspace, seconds: u64) -> Result<()> {
    let folder = workspace.path("web");
    npm::install(&folder)?;
    process::heading(&format!("Fuzzing {STREAMS} for {seconds} s"));
    let seed = std::process::id().to_string();
    let mut command = Command::new("node");
    command.current_dir(&folder).args(["fuzz.mjs", "--seconds", &seconds.to_string(), "--seed", &seed]);
    process::run(&mut command).with_context(|| format!("{STREAMS} found something: it is printed above; seed {seed}"))
}

/// All `crates/<crate>/fuzz/fuzz_targets/<name>.rs`, sorted.
fn targets(crates: &Path) -> Result<Vec<Target>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(crates).with_context(|| format!("could not list {}", crates.display()))? {
        let folder = entry?.path();
        let Ok(files) = fs::read_dir(folder.join("fuzz/fuzz_targets")) else { continue };
        for file in files {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                found.push(Target { name, folder: folder.clone() });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn install() -> Result<()> {
    if process::find_program("cargo-fuzz").is_some() {
        return Ok(());
    }
    process::heading("Installing cargo-fuzz");
    process::run(Command::new("cargo").args(["install", "--locked", "cargo-fuzz"]))
        .context("cargo-fuzz is not installed; is the crate registry reachable?")
}

fn has_nightly() -> bool {
    process::output(Command::new("rustup").args(["toolchain", "list"]))
        .is_ok_and(|list| list.lines().any(|line| line.starts_with("nightly")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_by_their_files() {
        let crates = std::env::temp_dir().join(format!("inshore-fuzz-{}", std::process::id()));
        let folder = crates.join("inshore-x");
        fs::create_dir_all(folder.join("fuzz/fuzz_targets")).expect("create");
        fs::create_dir_all(crates.join("inshore-y/src")).expect("create");
        for file in ["b.rs", "a.rs", "notes.md"] {
            fs::write(folder.join("fuzz/fuzz_targets").join(file), "").expect("write");
        }
        let found = targets(&crates).expect("readable");
        let names: Vec<_> = found.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(found.iter().all(|target| target.folder == folder));
        fs::remove_dir_all(crates).expect("remove");
    }
}
