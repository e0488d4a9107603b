//! A Python with packages, which are kept in the user's cache folder and change nothing of the system's Python.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::system_packages;
use crate::process;

/// The names under which systems have Python.
const INTERPRETERS: [&str; 3] = ["python3", "python", "py"];

/// `python` that finds `packages` (`name==version`), fetched by pip if they are not there yet.
pub fn with_packages(packages: &[&str]) -> Result<Command> {
    let interpreter = match with_pip() {
        Some(interpreter) => interpreter,
        None => {
            system_packages::apt_install(&["python3-pip"])?;
            with_pip().context("there is no Python with pip")?
        }
    };
    let folder = cache_folder()?.join("python").join(packages.join("+"));
    if !folder.is_dir() {
        process::heading(&format!("Python packages {}", packages.join(", ")));
        let mut pip = Command::new(interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(&folder)
            .args(packages);
        process::run(&mut pip).context("pip could not fetch them; is the Python package index reachable?")?;
    }
    let mut python = Command::new(interpreter);
    python.env("PYTHONPATH", folder);
    Ok(python)
}

/// The first interpreter that has pip.
pub fn with_pip() -> Option<&'static str> {
    let has_pip =
        |interpreter: &&str| process::output(Command::new(interpreter).args(["-m", "pip", "--version"])).is_ok();
    INTERPRETERS.into_iter().find(has_pip)
}

fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(folder).join("inshore"));
    }
    let home = std::env::home_dir().context("there is no home folder to keep packages in")?;
    Ok(home.join(".cache/inshore"))
}
