//! Who is asked what, in which round; and one round of it.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::BenchOptions;
use super::contestant::Contestant;
use super::golden::{self, Agreement, Prompt};
use super::measurement::Measurement;
use super::peers::Peers;
use super::quiet::Watch;
use super::report::{Absence, Report, Run};
use super::runner::{self, Place, Task};
use super::table::{digits, or_dash};
use crate::process;

/// A software GPU takes minutes for what others do in a second.
const SOFTWARE_GPU_ROUNDS: usize = 2;
const QUICK_TOKENS: usize = 16;
const DEFAULT_PROMPTS: [&str; 2] = ["p64", "p512"];
/// Contexts are made in steps of this, in tokens, and with room to spare.
const CONTEXT_STEP: usize = 512;

/// What this run does.
pub struct Plan {
    /// In the order of the table.
    pub chosen: Vec<&'static Contestant>,
    /// How often everybody is measured.
    pub rounds: usize,
    /// All prompts there are.
    pub prompts: Vec<Prompt>,
    asked: Vec<String>,
    /// Whether `--prompts` was given: then a software GPU is spared nothing.
    is_explicit: bool,
    tokens: usize,
    warm_up: Prompt,
    /// Contestants that failed, and what each said.
    failed: BTreeMap<&'static str, String>,
}

impl Plan {
    /// From the options.
    pub fn new(options: &BenchOptions, chosen: Vec<&'static Contestant>, prompts: Vec<Prompt>) -> Result<Self> {
        let asked: Vec<String> = match (&options.prompts, options.quick) {
            (Some(list), _) => list.split(',').map(|name| name.trim().to_owned()).collect(),
            (None, true) => vec!["p64".to_owned()],
            (None, false) => DEFAULT_PROMPTS.map(str::to_owned).to_vec(),
        };
        if let Some(unknown) = asked.iter().find(|name| !prompts.iter().any(|prompt| prompt.name == **name)) {
            let names: Vec<&str> = prompts.iter().map(|prompt| prompt.name.as_str()).collect();
            bail!("there is no prompt {unknown}; there are {}", names.join(", "));
        }
        Ok(Self {
            chosen,
            rounds: if options.quick { 1 } else { options.rounds },
            warm_up: golden::warm_up(&prompts)?,
            prompts,
            asked,
            is_explicit: options.prompts.is_some(),
            tokens: if options.quick { options.tokens.min(QUICK_TOKENS) } else { options.tokens },
            failed: BTreeMap::new(),
        })
    }

    /// For weights that the reference never saw.
    pub fn forget_references(&mut self) {
        for prompt in &mut self.prompts {
            prompt.greedy = None;
        }
    }

    /// Prompts and tokens of a contestant.
    fn share(&self, contestant: &Contestant, hardware_gpu: bool) -> (Vec<Prompt>, usize) {
        let patience = contestant.patience();
        let is_slow = contestant.is_emulated(hardware_gpu);
        let is_asked = |prompt: &&Prompt| {
            if is_slow && !self.is_explicit {
                patience.prompts.contains(&prompt.name.as_str())
            } else {
                self.asked.contains(&prompt.name)
            }
        };
        let prompts = self.prompts.iter().filter(is_asked).cloned().collect();
        (prompts, if is_slow { self.tokens.min(patience.tokens) } else { self.tokens })
    }

    /// Everybody once. Who begins moves on from round to round, so that nobody always follows the same one.
    pub fn round(&mut self, round: usize, place: &Place, peers: &Peers, report: &mut Report) {
        let mut order = self.chosen.clone();
        let count = order.len().max(1);
        order.rotate_left(round % count);
        for contestant in order {
            let is_slow = contestant.is_emulated(place.hardware_gpu);
            if self.failed.contains_key(contestant.id) || (is_slow && round >= SOFTWARE_GPU_ROUNDS) {
                continue;
            }
            match peers.weights_of(contestant, &place.model) {
                Ok(weights) => {
                    let (prompts, tokens) = self.share(contestant, place.hardware_gpu);
                    let most = prompts.iter().map(|prompt| prompt.ids.len()).max().unwrap_or(0) + tokens;
                    let task = Task {
                        contestant,
                        weights,
                        prompts: &prompts,
                        warm_up: &self.warm_up,
                        tokens,
                        context_tokens: (most + 1).next_multiple_of(CONTEXT_STEP),
                    };
                    if let Some(failure) = measure(&task, round, place, report) {
                        self.note_failure(contestant, failure);
                    }
                }
                Err(reason) => self.note_failure(contestant, reason),
            }
        }
        report.absent =
            self.failed.iter().map(|(contestant, reason)| Absence { contestant, reason: reason.clone() }).collect();
    }

    /// Who fails is not asked again: the same would happen, and take as long.
    fn note_failure(&mut self, contestant: &'static Contestant, reason: String) {
        process::note(&format!("{:15} absent: {reason}", contestant.id));
        self.failed.insert(contestant.id, reason);
    }
}

/// Runs one task, adds what it measured to the report, and returns what went wrong.
fn measure(task: &Task<'_>, round: usize, place: &Place, report: &mut Report) -> Option<String> {
    let contestant = task.contestant;
    let watch = Watch::start();
    let outcome = runner::run(place, task);
    let disturbance = watch.end();
    for measurement in outcome.measurements {
        let prompt = task.prompts.iter().find(|prompt| prompt.name == measurement.prompt)?;
        let agreement = Agreement::of(&measurement, prompt);
        let elsewhere = is_elsewhere(contestant, &measurement);
        process::note(&format!(
            "{:15} {:5} prefill {:>6} tok/s, decode {:>6} tok/s, = f32: {}{}{}",
            contestant.id,
            measurement.prompt,
            digits(measurement.prefill_tps()),
            or_dash(measurement.decode_tps()),
            agreement.as_ref().map_or_else(|| "-".to_owned(), Agreement::text),
            if elsewhere { ", NOT on the GPU" } else { "" },
            if disturbance.is_small() { "" } else { "  (disturbed)" },
        ));
        report.runs.push(Run { contestant: contestant.id, round, measurement, agreement, disturbance, elsewhere });
    }
    outcome.failure
}

/// Whether a contestant that was asked for a GPU computed without one.
fn is_elsewhere(contestant: &Contestant, measurement: &Measurement) -> bool {
    contestant.on_gpu() && (measurement.backend.starts_with("WASM") || measurement.backend == "CPU")
}
