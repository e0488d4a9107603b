//! A Chromium and a Vulkan driver for the tests: found, or installed on Debian, or explained.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::process;

/// Names the browser; the browser tests read it too.
pub const BROWSER_VARIABLE: &str = "INSHORE_CHROMIUM";

/// A Chromium-family browser, installed if need be.
pub fn browser() -> Result<PathBuf> {
    if chromium().is_none() {
        apt_install(&["chromium"])?;
    }
    chromium().with_context(|| {
        format!("no Chromium was found: install Chromium or Google Chrome, or set {BROWSER_VARIABLE} to its path")
    })
}

/// A Vulkan loader and driver, installed if need be; a software driver will do.
///
/// Elsewhere than on Linux, wgpu uses Metal or DirectX 12, which the system brings along.
pub fn vulkan() -> Result<()> {
    let mut missing = Vec::new();
    if cfg!(target_os = "linux") && !has_vulkan_loader() {
        missing.push("libvulkan1");
    }
    if cfg!(target_os = "linux") && !has_vulkan_driver() {
        missing.push("mesa-vulkan-drivers");
    }
    if missing.is_empty() { Ok(()) } else { apt_install(&missing) }
}

/// The browser that the tests and `demo --headless` use: the variable's, or the first of the usual places.
fn chromium() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(BROWSER_VARIABLE).map(PathBuf::from).filter(|path| path.is_file()) {
        return Some(path);
    }
    let by_name = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];
    let by_path = [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "C:/Program Files/Google/Chrome/Application/chrome.exe",
        "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
    ];
    by_name
        .iter()
        .find_map(|name| process::find_program(name))
        .or_else(|| by_path.iter().map(PathBuf::from).find(|path| path.is_file()))
}

fn has_vulkan_loader() -> bool {
    let listed = ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]
        .iter()
        .find_map(|program| process::output(Command::new(program).arg("-p")).ok());
    // Without ldconfig (musl, NixOS) only loading tells; the GPU tests then say so themselves.
    listed.is_none_or(|text| text.contains("libvulkan.so.1"))
}

fn has_vulkan_driver() -> bool {
    ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| std::env::var_os(name).is_some())
        || ["/usr/share", "/usr/local/share", "/etc", "/run/opengl-driver/share"]
            .iter()
            .any(|base| lists_json(&Path::new(base).join("vulkan/icd.d")))
}

fn lists_json(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
    })
}

/// Installs Debian packages as root; anywhere else, says what is missing and how to get it.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if process::find_program("apt-get").is_none() {
        bail!(
            "missing: {list} (Debian's names). Install them with your system's package manager; for the browser, \
             {BROWSER_VARIABLE} may name an existing Chromium or Chrome"
        );
    }
    if process::output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("missing: {list}. Install them with `sudo apt-get install {list}` and start this command again");
    }
    process::heading(&format!("Installing {list}"));
    // A package index of this run is new enough for the next packages.
    static UPDATED: OnceLock<()> = OnceLock::new();
    if UPDATED.get().is_none() {
        apt(&["update", "-qq"])?;
        UPDATED.get_or_init(|| ());
    }
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments).with_context(|| format!("could not install {list}; is a Debian mirror reachable?"))
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Acquire::Retries=3",
    ]);
    command.args(arguments);
    // Unpacking prints hundreds of lines.
    process::run_quietly(&mut command)
}
