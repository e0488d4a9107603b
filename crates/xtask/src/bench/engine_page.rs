//! Our engine alone in a page (`tests/bench/engine.mjs`): any of its builds, one thread, any context.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::lines::lines_of;
use super::runner::{GRACE, Place};
use crate::setup::system_packages::BROWSER_VARIABLE;

/// What to answer, and where.
#[derive(Serialize)]
pub struct EnginePage<'a> {
    /// The build: a module of `pkg/wasm`, without its extension.
    pub build: &'static str,
    /// `none`, `software` or `real`.
    pub gpu: &'static str,
    /// The model's file.
    pub model: &'a Path,
    /// The prompts' ids, answered one after another by the same engine: what one has in common with the one before is not run again.
    pub prompts: &'a [&'a [u32]],
    /// Tokens to generate for each, with the prompt's.
    pub tokens: usize,
    /// Context to allocate.
    pub context_tokens: usize,
    /// What to start instead of the place's browser.
    #[serde(skip)]
    pub browser: Option<&'a Path>,
    /// Variables for the browser.
    #[serde(skip)]
    pub variables: &'a [(&'a str, &'a str)],
}

/// What came of it.
#[derive(Debug, Deserialize)]
pub struct EnginePageReport {
    /// Time of all tokens but the first, in ms.
    pub decode_ms: f64,
    /// With the first.
    pub generated_tokens: usize,
    /// What handing over the kernels of a step took, in the median, in microseconds.
    pub launch_us: f64,
    /// What a step took as a whole.
    pub step_us: f64,
    /// Kernels of a step.
    pub dispatches: f64,
}

#[derive(Serialize)]
struct Options<'a> {
    #[serde(flatten)]
    page: &'a EnginePage<'a>,
    wasm: PathBuf,
    limit_s: u64,
}

impl EnginePage<'_> {
    /// Starts a browser, answers every prompt and closes it.
    pub fn run(&self, place: &Place) -> Result<Vec<EnginePageReport>> {
        // tests/bench/../../pkg/wasm, with the slash that the server's table of folders wants.
        let wasm = place.runners.join("../../pkg/wasm/").canonicalize().context("the engine's wasm is not built")?;
        let options = Options { page: self, wasm: wasm.join(""), limit_s: place.limit.as_secs() };
        let file = place.scratch.join("engine-page.json");
        fs::write(&file, serde_json::to_vec(&options)?)?;
        let mut command = Command::new("node");
        command.current_dir(&place.runners).arg("engine.mjs").arg(&file).envs(self.variables.iter().copied());
        if let Some(browser) = self.browser.or(place.browser.as_deref()) {
            command.env(BROWSER_VARIABLE, browser);
        }
        let lines = lines_of(&mut command, place.limit + GRACE)?;
        let reports: Vec<EnginePageReport> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        ensure!(
            reports.len() == self.prompts.len(),
            "tests/bench/engine.mjs answered {} of {} prompts",
            reports.len(),
            self.prompts.len()
        );
        Ok(reports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_flat_and_keep_to_themselves_what_is_not_the_pages() {
        let page = EnginePage {
            build: "inshore_gpu",
            gpu: "software",
            model: Path::new("m.gguf"),
            prompts: &[&[1, 2], &[1]],
            tokens: 5,
            context_tokens: 64,
            browser: Some(Path::new("chromium")),
            variables: &[("A", "1")],
        };
        let options = Options { page: &page, wasm: PathBuf::from("wasm/"), limit_s: 9 };
        let value = serde_json::to_value(&options).expect("JSON");
        let mut names: Vec<&String> = value.as_object().expect("an object").keys().collect();
        names.sort();
        assert_eq!(names, ["build", "context_tokens", "gpu", "limit_s", "model", "prompts", "tokens", "wasm"]);
    }
}
