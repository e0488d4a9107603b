//! Mesa's lavapipe behind `tests/bench/lavapipe/shim.c`: a Chromium whose WebGPU is llvmpipe, and a Vulkan driver that can
//! leave out the kernels. Both are made at the first run that needs them; where they cannot be, the reason stands in
//! their place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::process;
use crate::stamp::{self, Fingerprint};
use crate::workspace::Workspace;

/// What Dawn opens.
const SWIFTSHADER: &str = "libvk_swiftshader.so";
/// Where the GPU process finds the GL that it needs as well.
const SWIFTSHADER_ICD: &str = "vk_swiftshader_icd.json";
/// SwiftShader itself in the copy.
const REAL_SWIFTSHADER: &str = "libvk_swiftshader_real.so";
/// Names of the executable.
const EXECUTABLES: [&str; 4] = ["chromium", "chromium-browser", "chrome", "msedge"];

/// The two forms.
pub struct Lavapipe {
    /// The executable of a Chromium on llvmpipe.
    pub browser: Result<PathBuf, String>,
    /// A driver's manifest, for the loader's variable.
    pub driver: Result<PathBuf, String>,
}

impl Lavapipe {
    /// Makes both in `files`, unless they are there.
    pub fn set_up(workspace: &Workspace, browser: Option<&Path>, files: &Path) -> Self {
        let folder = files.join("lavapipe");
        let said = |error: anyhow::Error| format!("{error:#}");
        let shim = shim(workspace, &folder).map_err(said);
        let copied = shim.clone().and_then(|shim| {
            let browser = browser.ok_or_else(|| "no Chromium was looked for".to_owned())?;
            copy_of(browser, &shim, &folder.join("chromium")).map_err(said)
        });
        let driver = shim.and_then(|shim| manifest(&shim, &folder).map_err(said));
        Self { browser: copied, driver }
    }
}

/// The compiled shim.
fn shim(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    if !cfg!(all(target_os = "linux", target_pointer_width = "64")) {
        bail!("lavapipe is put in the place of other drivers on 64-bit Linux only");
    }
    let source = workspace.path("tests/bench/lavapipe/shim.c");
    let (library, stamp) = (folder.join("libinshore_lavapipe.so"), folder.join("shim.stamp"));
    let fingerprint = Fingerprint::new("lavapipe").file(&source)?.finish();
    if !library.is_file() || !stamp::is_current(&stamp, &fingerprint) {
        fs::create_dir_all(folder)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-o"]).arg(&library).arg(&source).arg("-ldl");
        process::output(&mut compiler).context("llvmpipe in Chromium needs a C compiler (Debian: gcc)")?;
        stamp::write(&stamp, &fingerprint)?;
    }
    Ok(library)
}

fn manifest(library: &Path, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("icd.json");
    let text = json!({
        "file_format_version": "1.0.0",
        "ICD": { "library_path": library, "api_version": "1.1.0" },
    });
    fs::write(&path, text.to_string())?;
    Ok(path)
}

/// A copy of the browser's folder in which SwiftShader is the shim; gives its executable.
fn copy_of(browser: &Path, shim: &Path, target: &Path) -> Result<PathBuf> {
    let source = folder_of(browser)?;
    let name = EXECUTABLES.into_iter().find(|name| source.join(name).is_file());
    let name = name.with_context(|| format!("{} has no executable of a known name", source.display()))?;
    let metadata = fs::metadata(source.join(name))?;
    let fingerprint = Fingerprint::new("chromium on lavapipe")
        .value("from", &source.to_string_lossy())
        .value("executable", &format!("{:?} {}", metadata.modified()?, metadata.len()))
        .file(shim)?
        .finish();
    let stamp = target.with_extension("stamp");
    if !stamp::is_current(&stamp, &fingerprint) {
        process::note("making a copy of Chromium whose WebGPU is llvmpipe");
        if target.exists() {
            fs::remove_dir_all(target)?;
        }
        copy(&source, target)?;
        // ANGLE, which gives the GPU process its GL, is led to SwiftShader by a manifest, Dawn by the name.
        fs::rename(target.join(SWIFTSHADER), target.join(REAL_SWIFTSHADER))?;
        let manifest = fs::read_to_string(source.join(SWIFTSHADER_ICD))?;
        fs::remove_file(target.join(SWIFTSHADER_ICD))?;
        fs::write(target.join(SWIFTSHADER_ICD), manifest.replace(SWIFTSHADER, REAL_SWIFTSHADER))?;
        fs::copy(shim, target.join(SWIFTSHADER))?;
        stamp::write(&stamp, &fingerprint)?;
    }
    Ok(target.join(name))
}

/// The browser's folder; `/usr/bin/chromium` may be a script that starts `/usr/lib/chromium/chromium`.
fn folder_of(browser: &Path) -> Result<PathBuf> {
    let real = browser.canonicalize().with_context(|| format!("could not find {}", browser.display()))?;
    let beside = real.parent().map(Path::to_owned);
    let in_lib = real.file_name().map(|name| Path::new("/usr/lib").join(name));
    let has_it = |folder: &PathBuf| folder.join(SWIFTSHADER).is_file() && folder.join(SWIFTSHADER_ICD).is_file();
    let found = [beside, in_lib].into_iter().flatten().find(has_it);
    found.with_context(|| format!("{SWIFTSHADER} was not found beside {}", browser.display()))
}

/// A folder with all below it, as links to the same files where the file system allows: a browser has 350 MB.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else if fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).with_context(|| format!("could not copy {}", source.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_the_shim_and_the_original_stays() {
        let folder = std::env::temp_dir().join(format!("inshore-lavapipe-{}", std::process::id()));
        let source = folder.join("browser");
        fs::create_dir_all(source.join("locales")).expect("folders");
        let write = |name: &str, text: &str| fs::write(source.join(name), text).expect("written");
        write("chrome", "the browser");
        write("locales/en.pak", "words");
        write(SWIFTSHADER, "SwiftShader");
        write(SWIFTSHADER_ICD, r#"{"ICD":{"library_path":"./libvk_swiftshader.so"}}"#);
        let shim = folder.join("shim.so");
        fs::write(&shim, "the shim").expect("written");
        for _ in 0..2 {
            let copy = folder.join("copy");
            assert_eq!(copy_of(&source.join("chrome"), &shim, &copy).expect("copied"), copy.join("chrome"));
            let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).expect("there");
            assert_eq!(read(&copy, "locales/en.pak"), "words");
            assert_eq!(read(&copy, SWIFTSHADER), "the shim");
            assert_eq!(read(&copy, REAL_SWIFTSHADER), "SwiftShader");
            assert!(read(&copy, SWIFTSHADER_ICD).contains(REAL_SWIFTSHADER));
            assert_eq!(read(&source, SWIFTSHADER), "SwiftShader");
            assert!(!read(&source, SWIFTSHADER_ICD).contains("real"));
        }
        assert!(folder_of(&shim).is_err());
        fs::remove_dir_all(folder).expect("removed");
    }
}
