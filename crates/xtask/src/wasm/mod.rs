//! `cargo xtask wasm`: cargo, then wasm-bindgen in-process, then wasm-opt, into `pkg/wasm`.

mod bindgen;
mod constructors;
mod optimise;
mod size;
mod sources;
mod tls;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use size::brotli_bytes;
use sources::Sources;

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
    /// What a build does while nothing of it is there, and how long it takes.
    first_build: &'static str,
}

/// A worker loads one of the engines: the one for the device that it opens and the instructions that its browser has.
/// The first runs in every browser and is built soonest; the last needs the GPU stack.
const ENGINES: [Module; 4] = [
    CPU_ENGINE,
    Module { name: "inshore_cpu_relaxed", features: &["relaxed-simd"], first_build: AFTER_CPU, ..CPU_ENGINE },
    Module {
        name: "inshore_cpu_threads",
        features: &["relaxed-simd", "threads"],
        first_build: AFTER_CPU,
        ..CPU_ENGINE
    },
    Module {
        name: "inshore_gpu",
        features: &["gpu"],
        limit_bytes: Some(3_000_000),
        first_build: "compiles the GPU stack the first time: about 10 minutes on two cores",
        ..CPU_ENGINE
    },
];

const CPU_ENGINE: Module = Module {
    package: "inshore-wasm",
    features: &[],
    name: "inshore_cpu",
    profile: "wasm",
    level: optimise::QUICK,
    limit_bytes: Some(1_300_000),
    first_build: "compiles the engine and its standard library the first time: about 4 minutes on two cores",
};
const AFTER_CPU: &str = "compiles the engine's own crates: about a minute on two cores";

/// Loaded by every page before anything else is decided, so its size is kept.
const ROUTE: Module = Module {
    package: "inshore-route-wasm",
    features: &[],
    name: "inshore_route",
    profile: "wasm-small",
    level: optimise::SMALL,
    limit_bytes: Some(60_000),
    first_build: "compiles the policy for size: about a minute on two cores",
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
    /// Modules that the page would use if they were there.
    pub missing: Vec<&'static str>,
}

/// Builds what was asked for.
pub fn run(workspace: &Workspace, options: &WasmOptions) -> Result<()> {
    let engines = || ENGINES.iter().collect::<Vec<_>>();
    let modules = match options.only {
        None => return build(workspace).map(drop),
        Some(Only::Route) => return build_route(workspace),
        Some(Only::Engine) => engines(),
        Some(Only::Cpu) => engines().into_iter().filter(|engine| !engine.features.contains(&"gpu")).collect(),
    };
    build_modules(workspace, &modules)
}

/// Builds the deferral policy alone, which takes a minute at most.
pub fn build_route(workspace: &Workspace) -> Result<()> {
    build_modules(workspace, &[&ROUTE])
}

/// Builds all modules of the page.
pub fn build(workspace: &Workspace) -> Result<BrowserModule> {
    let mut modules = vec![&ROUTE];
    modules.extend(&ENGINES);
    build_modules(workspace, &modules)?;
    available(workspace)
}

/// Builds the modules that a page needs before it can answer, on a GPU if `gpu`, and removes outdated ones: the page takes
/// what it finds.
pub fn build_first(workspace: &Workspace, gpu: bool) -> Result<BrowserModule> {
    let needed = |engine: &&Module| engine.name == CPU_ENGINE.name || gpu && engine.features.contains(&"gpu");
    let mut modules = vec![&ROUTE];
    modules.extend(ENGINES.iter().filter(needed));
    build_modules(workspace, &modules)?;
    let sources = Sources::read(workspace)?;
    for module in ENGINES.iter().filter(|module| sources.built(workspace, module).is_none()) {
        for file in files(&folder(workspace), module.name) {
            let _ = fs::remove_file(file);
        }
    }
    available(workspace)
}

/// Builds one module that [`BrowserModule::missing`] names.
pub fn build_missing(workspace: &Workspace, name: &str) -> Result<()> {
    let module = ENGINES.iter().find(|module| module.name == name).context("no such module")?;
    build_modules(workspace, &[module])
}

/// The modules that are there and current.
pub fn available(workspace: &Workspace) -> Result<BrowserModule> {
    let sources = Sources::read(workspace)?;
    let mut fingerprint = Fingerprint::new("modules");
    let mut missing = Vec::new();
    for module in ENGINES.iter().chain([&ROUTE]) {
        match sources.built(workspace, module) {
            Some(output) => fingerprint = fingerprint.value(module.name, &output),
            None => missing.push(module.name),
        }
    }
    Ok(BrowserModule { folder: folder(workspace), fingerprint: fingerprint.finish(), missing })
}

/// Builds the modules whose sources changed. Everything after cargo is skipped while cargo's output stays the same.
fn build_modules(workspace: &Workspace, modules: &[&Module]) -> Result<()> {
    let toolchain = wasm_target::ensure(workspace)?;
    let sources = Sources::read(workspace)?;
    for module in modules {
        if sources.built(workspace, module).is_none() {
            let output = build_module(workspace, &toolchain, module)?;
            sources.record(workspace, module, &output)?;
        }
    }
    Ok(())
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
    files(folder, name).iter().all(|file| file.is_file())
}

fn files(folder: &Path, name: &str) -> [PathBuf; 3] {
    [".js", "_bg.wasm", ".d.ts"].map(|end| folder.join(format!("{name}{end}")))
}
