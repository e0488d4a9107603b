//! `cargo xtask wasm`: cargo, then wasm-bindgen in-process, then wasm-opt, into `pkg/wasm`.

mod bindgen;
mod constructors;
mod optimise;
mod size;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;
use crate::setup::{npm, wasm_target};
use crate::stamp::{self, Fingerprint};
use crate::workspace::Workspace;

/// The files' common name, as the web code imports them.
const NAME: &str = "inshore_wasm";

/// What a build left for the page.
pub struct BrowserModule {
    /// The folder with `inshore_wasm.js`, `inshore_wasm_bg.wasm` and the types.
    pub folder: PathBuf,
    /// Changes whenever the files do.
    pub fingerprint: String,
}

/// Builds the browser's module; everything after cargo is skipped while cargo's output stays the same.
pub fn build(workspace: &Workspace) -> Result<BrowserModule> {
    let toolchain = wasm_target::ensure(workspace)?;
    let built = toolchain.target_dir(workspace).join(wasm_target::TARGET).join("wasm").join(format!("{NAME}.wasm"));
    process::heading("WebAssembly module");
    if !built.is_file() {
        process::note("the first build compiles the GPU stack and takes 10 to 20 minutes");
    }
    bindgen::check_versions(&workspace.path("Cargo.lock"))?;
    process::run(toolchain.cargo(workspace, "build").args(["--profile", "wasm", "-p", "inshore-wasm"]))?;

    let folder = workspace.path("pkg/wasm");
    // Beside the folder: what is in it gets published.
    let stamp = workspace.path("pkg/.wasm-stamp");
    let fingerprint = Fingerprint::new("wasm")
        .value("wasm-bindgen", bindgen::VERSION)
        .value("wasm-opt", &optimise::OPTIONS.join(" "))
        .file(&workspace.path("crates/xtask/node/package-lock.json"))?
        .file(&built)
        .with_context(|| format!("cargo built inshore-wasm, but {} cannot be read", built.display()))?
        .finish();
    if stamp::is_current(&stamp, &fingerprint) && is_complete(&folder) {
        process::note(&format!("{} is up to date", folder.display()));
        return Ok(BrowserModule { folder, fingerprint });
    }

    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    let _ = fs::remove_file(&stamp);
    let module = folder.join(format!("{NAME}_bg.wasm"));
    let raw_bytes = bindgen::run(&built, &folder, NAME)?;
    constructors::check(&fs::read(&module)?)?;
    let node = workspace.path("crates/xtask/node");
    npm::install(&node)?;
    optimise::run(&node, &module)?;
    size::report(&module, raw_bytes)?;
    stamp::write(&stamp, &fingerprint)?;
    Ok(BrowserModule { folder, fingerprint })
}

fn is_complete(folder: &Path) -> bool {
    [".js", "_bg.wasm", ".d.ts"].iter().all(|end| folder.join(format!("{NAME}{end}")).is_file())
}
