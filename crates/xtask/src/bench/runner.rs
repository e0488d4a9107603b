//! Starts a contestant, feeds it its prompts and reads its measurements.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::contestant::{Contestant, Device, Runner};
use super::golden::Prompt;
use super::lavapipe::Lavapipe;
use super::lines::{each_line, lines_of};
use super::measurement::Measurement;
use crate::setup::system_packages::BROWSER_VARIABLE;

/// A runner has its own limit and then some time to close its browser.
pub const GRACE: Duration = Duration::from_secs(30);

/// What all contestants of a run share.
pub struct Place {
    /// The `inshore` binary.
    pub host: PathBuf,
    /// The model's own file.
    pub model: PathBuf,
    /// `tests/bench`, with its packages.
    pub runners: PathBuf,
    /// Folder for files that only this run needs.
    pub scratch: PathBuf,
    /// A Chromium, if a contestant needs one.
    pub browser: Option<PathBuf>,
    /// llvmpipe's, if a contestant needs them.
    pub lavapipe: Option<Lavapipe>,
    /// Cores of this machine.
    pub cores: usize,
    /// Whether the machine has a real GPU.
    pub hardware_gpu: bool,
    /// Longest time of one contestant in one round.
    pub limit: Duration,
}

impl Place {
    /// The browser of a contestant that needs one.
    fn browser_of(&self, contestant: &Contestant) -> Result<Option<&Path>> {
        if contestant.device != Device::Lavapipe {
            return Ok(self.browser.as_deref());
        }
        match self.lavapipe.as_ref().map(|lavapipe| &lavapipe.browser) {
            Some(Ok(browser)) => Ok(Some(browser)),
            Some(Err(reason)) => bail!("{reason}"),
            None => bail!("llvmpipe was not set up"),
        }
    }
}

/// What a contestant shall do in one round.
pub struct Task<'a> {
    /// Who.
    pub contestant: &'a Contestant,
    /// The file of its weights, or the folder of the ONNX models.
    pub weights: &'a Path,
    /// In this order.
    pub prompts: &'a [Prompt],
    /// Answered before the first measurement.
    pub warm_up: &'a Prompt,
    /// Tokens to generate, at most.
    pub tokens: usize,
    /// Context to make room for, in tokens.
    pub context_tokens: usize,
}

/// What came of it: measurements, and why there are not more.
#[derive(Default)]
pub struct Outcome {
    /// Finished ones, also before a failure.
    pub measurements: Vec<Measurement>,
    /// What went wrong, if anything.
    pub failure: Option<String>,
}

/// Runs the task to its end or to its limit.
pub fn run(place: &Place, task: &Task<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let result = match task.contestant.runner {
        Runner::Native { exact } => native(place, task, exact, &mut outcome.measurements),
        _ => in_node(place, task, &mut outcome.measurements),
    };
    outcome.failure = result.err().map(|error| format!("{error:#}"));
    outcome
}

/// A process for each prompt: it loads the model in less than a second or two, and its peak memory is its own.
fn native(place: &Place, task: &Task<'_>, exact: bool, found: &mut Vec<Measurement>) -> Result<()> {
    for prompt in task.prompts {
        let ids = place.scratch.join("prompt.ids");
        let text: Vec<String> = prompt.ids.iter().map(u32::to_string).collect();
        fs::write(&ids, text.join(" "))?;
        let mut command = Command::new(&place.host);
        command.args(["generate", "--json", "--warm-up", "4", "--temperature", "0", "--model"]).arg(&place.model);
        command.arg("--prompt-ids").arg(&ids).args(["--max-tokens", &task.tokens.to_string()]);
        command.args(["--context", &task.context_tokens.to_string()]);
        command.args(["--threads", &task.contestant.thread_count(place.cores).to_string()]);
        command.args(["--device", if task.contestant.on_gpu() { "gpu" } else { "cpu" }]);
        if exact {
            command.arg("--exact");
        }
        let lines = lines_of(&mut command, place.limit)?;
        let report: NativeReport = lines
            .last()
            .and_then(|line| serde_json::from_str(line).ok())
            .context("`inshore generate --json` did not print the JSON that it did")?;
        let measurement = report.measurement(prompt);
        measurement.check(task.prompts)?;
        found.push(measurement);
    }
    Ok(())
}

/// What `inshore generate --json` prints, as far as it is needed.
#[derive(Deserialize)]
struct NativeReport {
    ids: Vec<u32>,
    load_ms: f64,
    ttft_ms: f64,
    decode_tps: f64,
    peak_rss_bytes: Option<u64>,
    device: String,
    backend: String,
}

impl NativeReport {
    fn measurement(self, prompt: &Prompt) -> Measurement {
        let generated = self.ids.len();
        let backend = if self.backend == "flex" { "CPU" } else { self.backend.as_str() };
        Measurement {
            prompt: prompt.name.clone(),
            prompt_tokens: prompt.ids.len(),
            generated_tokens: generated,
            load_ms: self.load_ms,
            warm_up_ms: None,
            ttft_ms: self.ttft_ms,
            decode_ms: if generated > 1 { (generated - 1) as f64 / self.decode_tps * 1e3 } else { 0.0 },
            ids: Some(self.ids),
            text: None,
            peak_memory_bytes: self.peak_rss_bytes,
            peak_memory_all_bytes: None,
            software_gpu: is_software(&self.device),
            backend: backend.to_owned(),
            device: self.device,
            version: "inshore (native)".to_owned(),
        }
    }
}

/// Whether a device of this name is emulated on the CPU.
pub fn is_software(device: &str) -> bool {
    ["llvmpipe", "swiftshader", "software"].iter().any(|word| device.to_lowercase().contains(word))
}

/// What tests/bench/lib/options.mjs reads.
#[derive(Serialize)]
struct NodeOptions<'a> {
    model: &'a Path,
    onnx: Option<&'a Path>,
    prompts: &'a [Prompt],
    warm_up: &'a Prompt,
    tokens: usize,
    context_tokens: usize,
    threads: usize,
    /// `none`, `software` or `real`.
    gpu: &'static str,
    page: Option<&'static str>,
    dtype: Option<&'static str>,
    limit_s: u64,
}

fn in_node(place: &Place, task: &Task<'_>, found: &mut Vec<Measurement>) -> Result<()> {
    let (script, page, dtype) = match task.contestant.runner {
        Runner::Page => ("inshore.mjs", None, None),
        Runner::LlamaCpp => ("llama-cpp.mjs", None, None),
        Runner::Wllama => ("web-peer.mjs", Some("wllama"), None),
        Runner::Transformers(dtype) => ("web-peer.mjs", Some("transformers"), Some(dtype)),
        Runner::Native { .. } => bail!("our binary needs no Node.js"),
    };
    let gpu = match task.contestant.device {
        Device::Cpu => "none",
        _ if task.contestant.is_emulated(place.hardware_gpu) => "software",
        _ => "real",
    };
    let options = NodeOptions {
        model: if dtype.is_some() { &place.model } else { task.weights },
        onnx: dtype.map(|_| task.weights),
        prompts: task.prompts,
        warm_up: task.warm_up,
        tokens: task.tokens,
        context_tokens: task.context_tokens,
        threads: task.contestant.thread_count(place.cores),
        gpu,
        page,
        dtype,
        limit_s: place.limit.as_secs(),
    };
    let file = place.scratch.join("options.json");
    fs::write(&file, serde_json::to_vec(&options)?)?;
    let mut command = Command::new("node");
    command.current_dir(&place.runners).arg(script).arg(&file);
    command.env("INSHORE_BIN", &place.host).env("INSHORE_TEST_MODEL", &place.model);
    if let Some(browser) = place.browser_of(task.contestant)? {
        command.env(BROWSER_VARIABLE, browser);
    }
    let mut read = Ok(());
    let result = each_line(&mut command, place.limit + GRACE, |line| {
        // Native libraries may print lines of their own.
        if line.starts_with('{') && read.is_ok() {
            read = Measurement::read(line, task.prompts).map(|mut one| {
                if task.contestant.device == Device::Lavapipe && one.software_gpu {
                    "llvmpipe".clone_into(&mut one.device);
                }
                found.push(one);
            });
        }
    });
    read.context("a runner printed something that is not a measurement")?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_devices_are_known_by_name() {
        assert!(is_software("llvmpipe (LLVM 15.0.6, 256 bits) on Vulkan"));
        assert!(is_software("google SwiftShader"));
        assert!(!is_software("NVIDIA H100 on Vulkan"));
    }

    #[test]
    fn our_own_report_becomes_a_measurement() {
        let text = r#"{"prompt_ids":[1],"ids":[4,5,6],"text":"x","load_ms":9.0,"ttft_ms":5.0,"prefill_tps":200.0,
            "decode_tps":20.0,"peak_rss_bytes":7,"device":"CPU, 1 thread(s)","backend":"flex","seed":1}"#;
        let report: NativeReport = serde_json::from_str(text).expect("its fields");
        let prompt = Prompt { name: "p".to_owned(), ids: vec![1], text: String::new(), greedy: None };
        let measurement = report.measurement(&prompt);
        measurement.check(&[prompt]).expect("sound");
        assert!((measurement.decode_ms - 100.0).abs() < 1e-9);
        assert_eq!(measurement.backend, "CPU");
    }
}
