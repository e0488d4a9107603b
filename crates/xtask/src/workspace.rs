//! Where things are: the checkout and cargo's target folder.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The checkout that this command works on.
pub struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder, wherever the environment or a configuration file puts it.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and `build.target-dir` are both respected.
    pub fn find() -> Result<Self> {
        // Asked at run time: with a shared target folder, another checkout may have built this binary.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").context("start this by `cargo xtask`")?;
        let mut cargo = Command::new("cargo");
        cargo.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]);
        let text = process::output(cargo.arg(PathBuf::from(package).join("Cargo.toml")))?;
        let metadata: serde_json::Value =
            serde_json::from_str(&text).context("`cargo metadata` did not print the JSON that cargo documents")?;
        let folder = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).with_context(|| format!("`cargo metadata` names no {key}"))
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// A path in the checkout, given with `/`.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The native `inshore` binary as `cargo build --release` leaves it.
    pub fn host_binary(&self) -> PathBuf {
        self.target.join("release").join(format!("inshore{}", std::env::consts::EXE_SUFFIX))
    }
}
