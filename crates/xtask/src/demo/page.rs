//! The demo page, bundled from `web/` with the modules that are built.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process;
use crate::setup::npm;
use crate::stamp::{self, Fingerprint};
use crate::wasm::BrowserModule;
use crate::workspace::Workspace;

/// Tells `vite.config.ts` to keep the files of the last bundle, because open pages still load them.
const KEEP_OLD_FILES: &str = "INSHORE_KEEP_OLD_FILES";

/// What happens to the files of the last bundle.
#[derive(Clone, Copy, PartialEq)]
pub enum OldFiles {
    /// They are removed: no page is open.
    Remove,
    /// They stay: a page may be open.
    Keep,
}

/// Builds the page into `web/dist` unless sources and modules are unchanged since the last build.
pub fn build(workspace: &Workspace, modules: &BrowserModule, old_files: OldFiles) -> Result<PathBuf> {
    let folder = workspace.path("web");
    let output = folder.join("dist");
    npm::install(&folder)?;
    let fingerprint = Fingerprint::new("page")
        .value("modules", &modules.fingerprint)
        .value("modules at", &modules.folder.display().to_string())
        .tree(&folder, &["node_modules", "dist"])?
        .finish();
    let stamp = folder.join("node_modules/.inshore-page-stamp");
    if stamp::is_current(&stamp, &fingerprint) && output.join("index.html").is_file() {
        return Ok(output);
    }
    process::heading("Page");
    let mut command = npm::npm()?;
    command.current_dir(&folder).args(["run", "--silent", "build"]);
    if old_files == OldFiles::Keep {
        command.env(KEEP_OLD_FILES, "1");
    }
    process::run(&mut command)?;
    if !output.join("index.html").is_file() {
        bail!("`npm run build` in web/ left no dist/index.html");
    }
    stamp::write(&stamp, &fingerprint)?;
    Ok(output)
}
