//! A toolchain for `wasm32-unknown-unknown`: rustup's target where rustup can get it, else Debian's `rustc-web`.
//!
//! Debian 12 packages a newer compiler under the names `rustc-web`, `cargo-web` and `rust-web-src`. It has no prebuilt
//! standard library for wasm, so cargo builds that from source, and its linker driver is rustup's own `rust-lld`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::system_packages;
use crate::process;
use crate::workspace::Workspace;

/// The target of the browser's module.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// Names the route to take: `rustup`, `debian` or `auto`.
const CHOICE: &str = "INSHORE_WASM_TOOLCHAIN";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// How wasm is compiled on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WasmToolchain {
    /// The default toolchain, which has the target's standard library.
    Rustup,
    /// Debian's packages in `/usr`, with a linker found elsewhere.
    Debian {
        /// A `rust-lld`.
        linker: PathBuf,
    },
}

impl fmt::Display for WasmToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rustup => write!(f, "{TARGET} of the default toolchain"),
            Self::Debian { linker } => write!(f, "{TARGET} by Debian's rustc-web, linked by {}", linker.display()),
        }
    }
}

impl WasmToolchain {
    /// `cargo <subcommand>` for the target. Rustflags come from `.cargo/config.toml` alone.
    pub fn cargo(&self, workspace: &Workspace, subcommand: &str) -> Command {
        let mut command = process::cargo(&workspace.root);
        // Either variable would replace the target's flags (SIMD, getrandom's backend) instead of adding to them.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Self::Debian { linker } = self {
            let mut debian = Command::new("/usr/bin/cargo");
            debian.current_dir(&workspace.root);
            for (name, value) in command.get_envs().filter(|(_, value)| value.is_none()) {
                debug_assert!(value.is_none());
                debian.env_remove(name);
            }
            debian
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .env("CARGO_TARGET_DIR", self.target_dir(workspace))
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("LD_LIBRARY_PATH");
            command = debian;
            command.args([subcommand, "-Zbuild-std=std,panic_abort"]);
        } else {
            command.arg(subcommand);
        }
        command.args(["--target", TARGET]);
        command
    }

    /// Where it leaves its files; two compilers in one folder would rebuild each other's work.
    pub fn target_dir(&self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Rustup => workspace.target.clone(),
            Self::Debian { .. } => workspace.target.join("debian-wasm"),
        }
    }
}

/// Finds or installs a toolchain that can build wasm.
pub fn ensure(workspace: &Workspace) -> Result<WasmToolchain> {
    let choice = std::env::var(CHOICE).unwrap_or_else(|_| "auto".to_owned());
    match choice.as_str() {
        "rustup" => rustup(workspace),
        "debian" => debian(workspace),
        "auto" | "" => rustup(workspace).or_else(|by_rustup| {
            debian(workspace).map_err(|by_debian| {
                anyhow::anyhow!(
                    "no toolchain here builds {TARGET}.\n  rustup: {by_rustup:#}\n  Debian: {by_debian:#}\n\
                     Run `rustup target add {TARGET}` where the Rust release server is reachable, or use a Rust \
                     installation that ships the target."
                )
            })
        }),
        other => bail!("{CHOICE}={other} is not known: use rustup, debian or auto"),
    }
}

fn rustup(workspace: &Workspace) -> Result<WasmToolchain> {
    add_to_default_toolchain(workspace, TARGET)?;
    Ok(WasmToolchain::Rustup)
}

/// Makes the default toolchain compile for `target`, with rustup's help if it does not yet.
pub fn add_to_default_toolchain(workspace: &Workspace, target: &str) -> Result<()> {
    // Asking the compiler also finds distributions that ship the target without rustup.
    if sysroot(workspace)?.join("lib/rustlib").join(target).join("lib").is_dir() {
        return Ok(());
    }
    if process::find_program("rustup").is_none() {
        bail!("the default toolchain has no {target}, and there is no rustup that could add it");
    }
    process::heading(&format!("Adding the target {target}"));
    process::run(Command::new("rustup").current_dir(&workspace.root).args(["target", "add", target]))
}

fn debian(workspace: &Workspace) -> Result<WasmToolchain> {
    let missing: Vec<&str> = [
        ("/usr/bin/rustc", DEBIAN_PACKAGES[0]),
        ("/usr/bin/cargo", DEBIAN_PACKAGES[1]),
        ("/usr/lib/rustlib/src/rust/library/std", DEBIAN_PACKAGES[2]),
    ]
    .iter()
    .filter(|(path, _)| !Path::new(path).exists())
    .map(|(_, package)| *package)
    .collect();
    if !missing.is_empty() {
        system_packages::apt_install(&missing)?;
    }
    Ok(WasmToolchain::Debian { linker: linker(workspace)? })
}

/// The `rust-lld` of the default toolchain, or an `lld` of the system.
fn linker(workspace: &Workspace) -> Result<PathBuf> {
    let rustlib = sysroot(workspace)?.join("lib/rustlib");
    let host = process::output(Command::new("rustc").arg("-vV"))?
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .context("`rustc -vV` names no host")?;
    let bundled = rustlib.join(host).join("bin").join("rust-lld");
    if bundled.is_file() {
        return Ok(bundled);
    }
    process::find_program("rust-lld").or_else(|| process::find_program("wasm-ld")).with_context(|| {
        format!("no linker for wasm: {} does not exist, and there is no wasm-ld (package lld)", bundled.display())
    })
}

fn sysroot(workspace: &Workspace) -> Result<PathBuf> {
    let text = process::output(Command::new("rustc").current_dir(&workspace.root).args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        Workspace { root: PathBuf::from("/checkout"), target: PathBuf::from("/target") }
    }

    #[test]
    fn debian_builds_its_own_standard_library_in_its_own_folder() {
        let toolchain = WasmToolchain::Debian { linker: PathBuf::from("/lld") };
        let command = toolchain.cargo(&workspace(), "build");
        assert_eq!(process::render(&command), format!("cargo build -Zbuild-std=std,panic_abort --target {TARGET}"));
        let value = |name: &str| {
            command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value).map(|value| value.to_owned())
        };
        assert_eq!(value("RUSTC_BOOTSTRAP").expect("set"), "1");
        assert_eq!(value("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER").expect("set"), "/lld");
        assert_eq!(PathBuf::from(value("CARGO_TARGET_DIR").expect("set")), toolchain.target_dir(&workspace()));
        assert_ne!(toolchain.target_dir(&workspace()), workspace().target);
    }

    #[test]
    fn neither_route_inherits_rustflags() {
        for toolchain in [WasmToolchain::Rustup, WasmToolchain::Debian { linker: PathBuf::from("/lld") }] {
            let command = toolchain.cargo(&workspace(), "build");
            for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
                let removed = command.get_envs().any(|(key, value)| key == name && value.is_none());
                assert!(removed, "{name} reaches {toolchain}");
            }
        }
    }
}
