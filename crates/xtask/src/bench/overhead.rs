//! What a kernel costs the CPU: decode steps of a decoder of one tiny layer, on a driver that leaves out the kernels.
//!
//! On a software GPU the kernels would run on the CPU that is measured, and Mesa's queue waits for them when the second of a
//! step's two submissions comes (kernels, then the copy that is read back). So everything is real but
//! `vkCmdDispatch`, see `tests/bench/lavapipe/shim.c`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::contestant::Contestant;
use super::engine_page::EnginePage;
use super::lavapipe::Lavapipe;
use super::lines::lines_of;
use super::runner::Place;
use super::table::{Table, digits};
use crate::process;

/// Kernels of a step of one layer: five, and four beside; `decode_cost.rs` and `gpu-cost.test.mjs` count them.
const DISPATCHES: f64 = 9.0;
/// Steps that are measured, with the prompt's.
const TOKENS: usize = 900;
/// A machine has a thread or two to spare less often than one would like: the best of these counts, as what held the
/// others up was not the launching.
const REPETITIONS: usize = 3;
const PROMPT: [u32; 4] = [20, 21, 22, 23];
/// Makes the shim leave out the kernels.
const NO_KERNELS: (&str, &str) = ("INSHORE_NO_KERNELS", "1");

/// The cost of a kernel in one place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overhead {
    /// `native` or `Chromium`.
    pub place: &'static str,
    /// Microseconds from the beginning of a step until all of it is with the driver (in a browser: on its way to the
    /// GPU's process), per kernel: the median of the steps, the best repetition.
    pub launch_us: f64,
    /// Microseconds of a whole step, with its readback, per kernel.
    pub step_us: f64,
}

/// Whose overhead is measured, in which place.
const CONTESTANTS: [(&str, &str); 2] = [("native-gpu", NATIVE), ("webgpu", CHROMIUM)];
/// In our own process.
pub const NATIVE: &str = "native";
/// In a page.
pub const CHROMIUM: &str = "Chromium";

/// Whether any of `chosen` has one.
pub fn is_wanted(chosen: &[&Contestant]) -> bool {
    CONTESTANTS.iter().any(|(id, _)| chosen.iter().any(|one| one.id == *id))
}

/// Measures the places of `chosen`, in turn. Who cannot be measured is named on the terminal.
pub fn measure(chosen: &[&Contestant], place: &Place, lavapipe: &Lavapipe, tiny: &Path) -> Vec<Overhead> {
    let mut found: Vec<Overhead> = Vec::new();
    for repetition in 1..=REPETITIONS {
        for (_, name) in CONTESTANTS.iter().filter(|(id, _)| chosen.iter().any(|one| one.id == *id)) {
            let outcome = if *name == NATIVE { native(place, lavapipe, tiny) } else { chromium(place, lavapipe, tiny) };
            let said = match outcome {
                Ok(overhead) => {
                    let [launch, step] = [overhead.launch_us, overhead.step_us].map(digits);
                    note_best(&mut found, overhead);
                    format!("launch {launch} us, step {step} us")
                }
                Err(error) => format!("not measured: {error:#}"),
            };
            process::note(&format!("a kernel, {name:8} {repetition}/{REPETITIONS}  {said}"));
        }
    }
    found
}

fn note_best(found: &mut Vec<Overhead>, overhead: Overhead) {
    match found.iter_mut().find(|one| one.place == overhead.place) {
        Some(best) if overhead.launch_us < best.launch_us => *best = overhead,
        Some(_) => {}
        None => found.push(overhead),
    }
}

/// What `inshore generate --json` says of launching.
#[derive(Deserialize)]
struct Launches {
    ids: Vec<u32>,
    decode_tps: f64,
    launch_us: Option<f64>,
}

fn native(place: &Place, lavapipe: &Lavapipe, tiny: &Path) -> Result<Overhead> {
    let driver = lavapipe.driver.as_ref().map_err(|reason| anyhow::anyhow!("{reason}"))?;
    let ids = place.scratch.join("tiny.ids");
    fs::write(&ids, PROMPT.map(|id| id.to_string()).join(" "))?;
    let mut command = Command::new(&place.host);
    command.args(["generate", "--json", "--warm-up", "8", "--temperature", "0", "--device", "gpu", "--model"]);
    command.arg(tiny).arg("--prompt-ids").arg(&ids).args(["--max-tokens", &TOKENS.to_string(), "--context", "1024"]);
    // The second is what loaders called it before 2022.
    command.env("VK_DRIVER_FILES", driver).env("VK_ICD_FILENAMES", driver).envs([NO_KERNELS]);
    let lines = lines_of(&mut command, place.limit)?;
    let found: Launches = lines
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .context("`inshore generate --json` did not print the JSON that it did")?;
    of_native(&found)
}

fn of_native(found: &Launches) -> Result<Overhead> {
    if found.ids.len() != TOKENS {
        bail!("the answer ended after {} tokens", found.ids.len());
    }
    let launch_us = found.launch_us.context("it did not run on the GPU")? / DISPATCHES;
    Ok(Overhead { place: NATIVE, launch_us, step_us: 1e6 / found.decode_tps / DISPATCHES })
}

fn chromium(place: &Place, lavapipe: &Lavapipe, tiny: &Path) -> Result<Overhead> {
    let browser = lavapipe.browser.as_ref().map_err(|reason| anyhow::anyhow!("{reason}"))?;
    let page = EnginePage {
        build: "inshore_gpu",
        gpu: "software",
        model: tiny,
        prompts: &[&PROMPT],
        tokens: TOKENS,
        context_tokens: 1024,
        browser: Some(browser),
        variables: &[NO_KERNELS],
    };
    let found = page.run(place)?.remove(0);
    if found.dispatches != DISPATCHES {
        bail!("a step has {} dispatches, not {DISPATCHES}", found.dispatches);
    }
    Ok(Overhead { place: CHROMIUM, launch_us: found.launch_us / DISPATCHES, step_us: found.step_us / DISPATCHES })
}

/// As a table.
pub fn table(overheads: &[Overhead]) -> Table {
    let mut table = Table::new(["place", "launch, us/kernel", "step, us/kernel", "kernels a step"], 1);
    for one in overheads {
        table.row([one.place.to_owned(), digits(one.launch_us), digits(one.step_us), digits(DISPATCHES)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_per_kernel_and_the_best_repetition_counts() {
        let run = |launch_us| Launches { ids: vec![0; TOKENS], decode_tps: 1000.0, launch_us };
        let first = of_native(&run(Some(450.0))).expect("measured");
        assert!((first.launch_us - 50.0).abs() < 1e-9 && (first.step_us - 1000.0 / 9.0).abs() < 1e-9);
        let mut found = vec![first.clone()];
        let better = of_native(&run(Some(360.0))).expect("measured");
        note_best(&mut found, better.clone());
        note_best(&mut found, first);
        assert_eq!(found, [better]);
        assert!(of_native(&run(None)).is_err());
        assert!(of_native(&Launches { ids: vec![0], decode_tps: 1.0, launch_us: Some(1.0) }).is_err());
        assert_eq!(table(&found).text().lines().count(), 2);
    }
}
