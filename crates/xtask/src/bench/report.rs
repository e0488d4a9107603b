//! Everything that a run found, as it stands in the JSON file.

use serde::Serialize;

use super::bandwidth::Bandwidth;
use super::contestant::Contestant;
use super::curve::Point;
use super::goals::{Figure, Verdict};
use super::golden::Agreement;
use super::machine::Machine;
use super::measurement::Measurement;
use super::overhead::Overhead;
use super::quiet::{Disturbance, Quietness};
use super::statistics::Summary;
use super::traffic::Traffic;

/// One contestant, one prompt, one round.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Id of the contestant.
    pub contestant: &'static str,
    /// Counted from 0.
    pub round: usize,
    /// What was measured.
    #[serde(flatten)]
    pub measurement: Measurement,
    /// With the reference.
    pub agreement: Option<Agreement>,
    /// How loaded the machine was.
    pub disturbance: Disturbance,
    /// Asked for a GPU, it computed on the CPU.
    pub elsewhere: bool,
}

/// All rounds of one contestant on one prompt.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Id of the contestant.
    pub contestant: &'static str,
    /// Its name, with its threads.
    pub name: String,
    /// Whether it is ours.
    pub ours: bool,
    /// Name of the prompt.
    pub prompt: String,
    /// Milliseconds.
    pub load_ms: Option<Summary>,
    /// Milliseconds.
    pub ttft_ms: Option<Summary>,
    /// Tokens per second.
    pub prefill_tps: Option<Summary>,
    /// Tokens per second.
    pub decode_tps: Option<Summary>,
    /// The largest of all rounds: of the process, or of a browser's largest process.
    pub peak_memory_bytes: Option<u64>,
    /// The largest of all rounds, all processes of the browser.
    pub peak_memory_all_bytes: Option<u64>,
    /// Weights and cache that one token reads, in the middle of the answer.
    pub bytes_per_token: u64,
    /// Bytes per token times decode speed, over the read bandwidth at its threads; not for hardware GPUs.
    pub bandwidth_share: Option<f64>,
    /// The worst of all rounds.
    pub agreement: Option<Agreement>,
    /// What computed, and how.
    pub device: String,
    /// Versions.
    pub version: String,
}

/// A contestant that is not in the table, or not in every round.
#[derive(Debug, Clone, Serialize)]
pub struct Absence {
    /// Its id.
    pub contestant: &'static str,
    /// Why.
    pub reason: String,
}

/// The result of `cargo xtask bench`.
#[derive(Serialize)]
pub struct Report {
    /// When it began, UTC.
    pub date: String,
    /// The command as it was typed.
    pub command: String,
    /// Where.
    pub machine: Machine,
    /// File name of the model.
    pub model: String,
    /// What its tokens cost.
    pub traffic: Traffic,
    /// Whether to trust the figures.
    pub quietness: Quietness,
    /// At each number of threads.
    pub bandwidth: Vec<Bandwidth>,
    /// Medians.
    pub rows: Vec<Row>,
    /// Promises.
    pub goals: Vec<Verdict>,
    /// Promises that are not ratios.
    pub figures: Vec<Figure>,
    /// Who is missing.
    pub absent: Vec<Absence>,
    /// Decode over context, if asked for.
    pub curve: Vec<Point>,
    /// What a kernel costs the CPU.
    pub overhead: Vec<Overhead>,
    /// Every single measurement.
    pub runs: Vec<Run>,
}

/// The rows of `runs`, in the order of `chosen`.
pub fn rows(chosen: &[&Contestant], runs: &[Run], traffic: &Traffic, bandwidth: &[Bandwidth]) -> Vec<Row> {
    let cores = bandwidth.iter().map(|one| one.threads).max().unwrap_or(1);
    let mut rows = Vec::new();
    for contestant in chosen {
        let of: Vec<&Run> = runs.iter().filter(|run| run.contestant == contestant.id).collect();
        let mut prompts: Vec<&str> = Vec::new();
        for run in &of {
            if !prompts.contains(&run.measurement.prompt.as_str()) {
                prompts.push(&run.measurement.prompt);
            }
        }
        for prompt in prompts {
            let of: Vec<&Run> = of.iter().copied().filter(|run| run.measurement.prompt == prompt).collect();
            rows.extend(row(contestant, &of, traffic, (bandwidth, cores)));
        }
    }
    rows
}

fn row(
    contestant: &Contestant,
    runs: &[&Run],
    traffic: &Traffic,
    (bandwidth, cores): (&[Bandwidth], usize),
) -> Option<Row> {
    let first = &runs.first()?.measurement;
    let summary =
        |value: fn(&Measurement) -> Option<f64>| Summary::of(runs.iter().filter_map(|run| value(&run.measurement)));
    let decode_tps = summary(Measurement::decode_tps);
    let context = first.prompt_tokens + first.generated_tokens / 2;
    let bytes_per_token =
        traffic.weight_bytes_as(contestant.weights) + traffic.kv_bytes(context as u64, contestant.kv_value_bytes());
    let elsewhere = runs.iter().any(|run| run.elsewhere);
    let threads = contestant.thread_count(cores);
    let read = bandwidth.iter().find(|one| one.threads == threads).map(|one| one.read_bytes_per_s);
    // Of a real GPU's memory nothing was measured.
    let read = read.filter(|_| !contestant.on_gpu() || first.software_gpu || elsewhere);
    let largest = |value: fn(&Measurement) -> Option<u64>| runs.iter().filter_map(|run| value(&run.measurement)).max();
    let backend = if elsewhere { format!("{} (NOT the GPU)", first.backend) } else { first.backend.clone() };
    Some(Row {
        contestant: contestant.id,
        name: contestant.name(cores),
        ours: contestant.is_ours(),
        prompt: first.prompt.clone(),
        load_ms: summary(|one| Some(one.load_ms)),
        ttft_ms: summary(|one| Some(one.ttft_ms)),
        prefill_tps: summary(|one| Some(one.prefill_tps())),
        decode_tps,
        peak_memory_bytes: largest(|one| one.peak_memory_bytes),
        peak_memory_all_bytes: largest(|one| one.peak_memory_all_bytes),
        bytes_per_token,
        bandwidth_share: decode_tps.zip(read).map(|(speed, read)| speed.median * bytes_per_token as f64 / read),
        agreement: runs.iter().filter_map(|run| run.agreement.clone()).min_by_key(|one| one.equal),
        device: format!("{backend}: {}", first.device),
        version: first.version.clone(),
    })
}
