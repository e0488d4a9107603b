//! `cargo xtask wasm`: cargo, then wasm-bindgen in-process, then wasm-opt, into `pkg/wasm`.

mod bindgen;
mod constructors;
mod optimise;
mod size;
mod tls;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use size::brotli_bytes;

use crate::process;
use crate::setup::wasm_target::WasmToolchain;
use crate::setup::{npm, wasm_target};
use crate::stamp::{self, Fingerprint};
use crate::workspace::Workspace;

/// One module of the page.
struct Module {
    /// What cargo builds.
    package: &'static str,
    /// Its features; the package's defaults do not count.
    features: &'static [&'static str],
    /// The files' common name, as the web code imports them.
    name: &'static str,
    /// Cargo's profile.
    profile: &'static str,
    /// wasm-opt's level.
    level: &'static str,
    /// Most bytes to download, in brotli.
    limit_bytes: Option<u64>,
    /// What to expect of the first build.
    first_build: &'static str,
}

/// A worker loads one of the engines: the one for the device that it opens and the instructions that its browser has.
const ENGINES: [Module; 4] = [
    Module {
        name: "inshore_gpu",
        features: &["gpu"],
        limit_bytes: Some(3_000_000),
        first_build: "the first build compiles the GPU stack and takes 10 to 20 minutes",
        ..CPU_ENGINE
    },
    CPU_ENGINE,
    Module { name: "inshore_cpu_relaxed", features: &["relaxed-simd"], ..CPU_ENGINE },
    Module { name: "inshore_cpu_threads", features: &["relaxed-simd", "threads"], ..CPU_ENGINE },
];

const CPU_ENGINE: Module = Module {
    package: "inshore-wasm",
    features: &[],
    name: "inshore_cpu",
    profile: "wasm",
    level: optimise::QUICK,
    limit_bytes: Some(1_300_000),
    first_build: "the first build takes some minutes",
};

/// Loaded by every page before anything else is decided, so its size is kept.
const ROUTE: Module = Module {
    package: "inshore-route-wasm",
    features: &[],
    name: "inshore_route",
    profile: "wasm-small",
    level: optimise::SMALL,
    limit_bytes: Some(60_000),
    first_build: "the first build takes a minute",
};

/// `cargo xtask wasm`.
#[derive(clap::Args)]
pub struct WasmOptions {
    /// Build only this module.
    #[arg(long, value_enum)]
    only: Option<Only>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Only {
    /// The engines.
    Engine,
    /// The engines without GPU, which are built much sooner.
    Cpu,
    /// The deferral policy.
    Route,
}

/// What a build left for the page.
pub struct BrowserModule {
    /// The folder with the modules, their JavaScript and types.
    pub folder: PathBuf,
    /// Changes whenever the files do.
    pub fingerprint: String,
}

/// Builds what was asked for.
pub fn run(workspace: &Workspace, options: &WasmOptions) -> Result<()> {
    match options.only {
        None => build(workspace).map(drop),
        Some(Only::Route) => build_route(workspace),
        Some(Only::Engine) => build_engines(workspace, &ENGINES).map(drop),
        Some(Only::Cpu) => build_engines(workspace, &ENGINES[1..]).map(drop),
    }
}

/// Builds the deferral policy alone, which takes a minute at most.
pub fn build_route(workspace: &Workspace) -> Result<()> {
    build_module(workspace, &wasm_target::ensure(workspace)?, &ROUTE).map(drop)
}

/// Builds the browser's modules; everything after cargo is skipped while cargo's output stays the same.
pub fn build(workspace: &Workspace) -> Result<BrowserModule> {
    let toolchain = wasm_target::ensure(workspace)?;
    let engines = build_engines(workspace, &ENGINES)?;
    let route = build_module(workspace, &toolchain, &ROUTE)?;
    let fingerprint = Fingerprint::new("modules").value("engines", &engines).value("route", &route).finish();
    Ok(BrowserModule { folder: folder(workspace), fingerprint })
}

fn build_engines(workspace: &Workspace, modules: &[Module]) -> Result<String> {
    let toolchain = wasm_target::ensure(workspace)?;
    let built = modules.iter().map(|module| build_module(workspace, &toolchain, module));
    Ok(built.collect::<Result<Vec<_>>>()?.join(" "))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.path("pkg/wasm")
}

/// Builds one module and returns its fingerprint.
fn build_module(workspace: &Workspace, toolchain: &WasmToolchain, module: &Module) -> Result<String> {
    let Module { package, features, name, profile, level, limit_bytes, first_build } = *module;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let built = toolchain.target_dir(workspace).join(wasm_target::TARGET).join(profile).join(file);
    process::heading(&format!("WebAssembly module {name}"));
    let folder = folder(workspace);
    if !is_complete(&folder, name) {
        process::note(first_build);
    }
    bindgen::check_versions(&workspace.path("Cargo.lock"))?;
    process::run(toolchain.cargo(workspace, "build").args([
        "--profile",
        profile,
        "-p",
        package,
        "--no-default-features",
        "--features",
        &features.join(","),
    ]))?;

    // Beside the folder: what is in it gets published.
    let stamp = workspace.path(&format!("pkg/.{name}-stamp"));
    let fingerprint = Fingerprint::new(name)
        .value("wasm-bindgen", bindgen::VERSION)
        .value("wasm-opt", level)
        .value("wasm-opt", &optimise::OPTIONS.join(" "))
        .file(&workspace.path("crates/xtask/node/package-lock.json"))?
        .file(&built)
        .with_context(|| format!("cargo built {package}, but {} cannot be read", built.display()))?
        .finish();
    if stamp::is_current(&stamp, &fingerprint) && is_complete(&folder, name) {
        process::note(&format!("{} is up to date", folder.join(name).display()));
        return Ok(fingerprint);
    }

    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    let _ = fs::remove_file(&stamp);
    let module = folder.join(format!("{name}_bg.wasm"));
    let raw_bytes = bindgen::run(&built, &folder, name)?;
    constructors::check(&fs::read(&module)?)?;
    let node = workspace.path("crates/xtask/node");
    npm::install(&node)?;
    optimise::run(&node, &module, level)?;
    size::check(&module, raw_bytes, limit_bytes)?;
    stamp::write(&stamp, &fingerprint)?;
    Ok(fingerprint)
}

fn is_complete(folder: &Path, name: &str) -> bool {
    [".js", "_bg.wasm", ".d.ts"].iter().all(|end| folder.join(format!("{name}{end}")).is_file())
}
