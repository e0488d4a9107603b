//! Records which sources a module was built from, so that unchanged modules are not rebuilt and outdated ones are not served.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Module;
use crate::process;
use crate::stamp::{self, Fingerprint};
use crate::workspace::Workspace;

/// Crates that are not part of any module of the page.
const OTHER_CRATES: [&str; 2] = ["xtask", "inshore-host"];
/// Folders that are not sources of a module.
const SKIPPED: [&str; 3] = ["tests", "fuzz", "target"];
const SHARED_FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"];

/// The sources of all modules, read once.
pub struct Sources {
    fingerprint: String,
}

impl Sources {
    /// Reads the crates, the lock file, the flags and the compilers' versions.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let skipped = [&OTHER_CRATES[..], &SKIPPED[..]].concat();
        let mut all = Fingerprint::new("module sources").tree(&workspace.path("crates"), &skipped)?;
        for file in SHARED_FILES {
            all = all.file(&workspace.path(file))?;
        }
        for compiler in ["rustc", "/usr/bin/rustc"] {
            let version = process::output(Command::new(compiler).arg("-vV")).unwrap_or_default();
            all = all.value(compiler, &version);
        }
        Ok(Self { fingerprint: all.finish() })
    }

    /// The fingerprint of what the last build of `module` left, if it was built from these sources.
    pub fn built(&self, workspace: &Workspace, module: &Module) -> Option<String> {
        let recorded = fs::read_to_string(stamp_path(workspace, module)).ok()?;
        let (sources, output) = recorded.trim().split_once(' ')?;
        let is_complete = super::is_complete(&super::folder(workspace), module.name);
        (sources == self.of(module) && is_complete).then(|| output.to_owned())
    }

    /// Records that `module` was built from these sources; `output` is the fingerprint of what the build left.
    pub fn record(&self, workspace: &Workspace, module: &Module, output: &str) -> Result<()> {
        stamp::write(&stamp_path(workspace, module), &format!("{} {output}", self.of(module)))
    }

    fn of(&self, module: &Module) -> String {
        let build = [module.package, module.profile, module.level, &module.features.join(",")].join(" ");
        Fingerprint::new(module.name).value("sources", &self.fingerprint).value("build", &build).finish()
    }
}

fn stamp_path(workspace: &Workspace, module: &Module) -> PathBuf {
    workspace.path(&format!("pkg/.{}-sources", module.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{ENGINES, ROUTE};

    fn checkout(name: &str) -> Workspace {
        let root = std::env::temp_dir().join(format!("inshore-sources-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for folder in ["crates/inshore-ops/src", "crates/xtask/src", "pkg/wasm"] {
            fs::create_dir_all(root.join(folder)).expect("create");
        }
        Workspace { target: root.join("target"), root }
    }

    #[test]
    fn a_module_is_current_until_one_of_its_sources_changes() {
        let workspace = checkout("current");
        let module = &ENGINES[0];
        let read = || Sources::read(&workspace).expect("readable");
        assert_eq!(read().built(&workspace, module), None, "never built");
        read().record(&workspace, module, "abc").expect("write");
        assert_eq!(read().built(&workspace, module), None, "its files are not there");
        for end in [".js", "_bg.wasm", ".d.ts"] {
            fs::write(workspace.path(&format!("pkg/wasm/{}{end}", module.name)), "").expect("write");
        }
        assert_eq!(read().built(&workspace, module).as_deref(), Some("abc"));
        assert_eq!(read().built(&workspace, &ROUTE), None, "another module");
        fs::write(workspace.path("crates/xtask/src/main.rs"), "fn main() {}").expect("write");
        assert_eq!(read().built(&workspace, module).as_deref(), Some("abc"), "the tool is not a source");
        fs::write(workspace.path("crates/inshore-ops/src/lib.rs"), "// changed").expect("write");
        assert_eq!(read().built(&workspace, module), None, "changed");
        fs::remove_dir_all(&workspace.root).expect("remove");
    }
}
