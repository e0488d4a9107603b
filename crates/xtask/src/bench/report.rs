//! Everything that a run found, and its forms: JSON, Markdown, the terminal, a chart.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::bandwidth::Bandwidth;
use super::chart::{self, Bar, Panel};
use super::contestant::Contestant;
use super::curve::{self, Point};
use super::goals::{Quantity, Verdict};
use super::golden::Agreement;
use super::machine::Machine;
use super::measurement::Measurement;
use super::quiet::{Disturbance, Quietness};
use super::statistics::Summary;
use super::table::{Table, digits, or_dash};
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
    /// Who is missing.
    pub absent: Vec<Absence>,
    /// Decode over context, if asked for.
    pub curve: Vec<Point>,
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
    let read = read.filter(|_| !contestant.gpu || first.software_gpu || elsewhere);
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

impl Report {
    /// The main table.
    fn table(&self) -> Table {
        let head = [
            "contestant",
            "prompt",
            "load ms",
            "TTFT ms",
            "prefill tok/s (best)",
            "decode tok/s (best)",
            "peak MiB (all)",
            "MB/token",
            "of bandwidth",
            "= f32",
            "device",
        ];
        let mut table = Table::new(head, 2);
        let speed = |summary: Option<Summary>| {
            summary.map_or_else(|| "-".to_owned(), |one| format!("{} ({})", digits(one.median), digits(one.max)))
        };
        let mib = |bytes: u64| bytes >> 20;
        for row in &self.rows {
            let peak = match (row.peak_memory_bytes, row.peak_memory_all_bytes) {
                (Some(one), Some(all)) => format!("{} ({})", mib(one), mib(all)),
                (Some(one), None) => mib(one).to_string(),
                _ => "-".to_owned(),
            };
            table.row([
                row.name.clone(),
                row.prompt.clone(),
                or_dash(row.load_ms.map(|one| one.median)),
                or_dash(row.ttft_ms.map(|one| one.median)),
                speed(row.prefill_tps),
                speed(row.decode_tps),
                peak,
                digits(row.bytes_per_token as f64 / 1e6),
                row.bandwidth_share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0)),
                row.agreement.as_ref().map_or_else(|| "-".to_owned(), Agreement::text),
                row.device.clone(),
            ]);
        }
        table
    }

    /// The promises; `with_unmeasured`: also those of which this run says nothing.
    fn goal_table(&self, with_unmeasured: bool) -> Table {
        let mut table = Table::new(
            ["quantity", "ours", "against (the best of)", "prompt", "ratio", "spread", "promise", "aim", "kept"],
            4,
        );
        for verdict in self.goals.iter().filter(|verdict| verdict.ratio.is_some() || with_unmeasured) {
            let sign = if verdict.quantity == Quantity::Memory { "<=" } else { ">=" };
            table.row([
                format!("{:?}", verdict.quantity).to_lowercase(),
                verdict.ours.to_owned(),
                verdict.against.join(", "),
                verdict.prompt.to_owned(),
                or_dash(verdict.ratio.map(|ratio| ratio.median)),
                verdict.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.0} %", ratio.spread() * 100.0)),
                format!("{sign} {}", verdict.bound),
                verdict.aim.to_string(),
                match verdict.is_met() {
                    Some(true) => "yes",
                    Some(false) => "NO",
                    None => "not measured",
                }
                .to_owned(),
            ]);
        }
        table
    }

    /// The lines around the tables, the same on the terminal and in Markdown.
    fn remarks(&self) -> Vec<String> {
        let mut lines = vec![format!("Machine: {}", self.machine.text()), format!("Quiet? {}", self.quietness.text())];
        for one in &self.bandwidth {
            lines.push(format!(
                "Memory bandwidth, {} thread(s): read {:.1} GB/s, copy {:.1} GB/s (read and written)",
                one.threads,
                one.read_bytes_per_s / 1e9,
                one.copy_bytes_per_s / 1e9
            ));
        }
        let mut versions: Vec<&str> = self.rows.iter().map(|row| row.version.as_str()).collect();
        versions.sort_unstable();
        versions.dedup();
        lines.push(format!("Versions: inshore at {}; {}", self.machine.commit, versions.join("; ")));
        lines.extend(self.absent.iter().map(|one| format!("Absent: {}: {}", one.contestant, one.reason)));
        lines
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let mut out = self.table().text();
        let unmeasured = self.goals.iter().filter(|verdict| verdict.ratio.is_none()).count();
        if unmeasured < self.goals.len() {
            let _ = write!(out, "\nRatios, ours over theirs, median of the rounds:\n{}", self.goal_table(false).text());
        }
        if unmeasured > 0 {
            let _ = writeln!(out, "{unmeasured} of {} promised ratios were not measured", self.goals.len());
        }
        if !self.curve.is_empty() {
            let _ = write!(out, "\nDecode over context:\n{}", curve::table(&self.curve).text());
        }
        let _ = writeln!(out, "\n{}", self.remarks().join("\n"));
        out
    }

    fn markdown(&self) -> String {
        let mut out = format!("# inshore bench, {}\n\n`{}` on {}\n\n", self.date, self.command, self.model);
        let _ = writeln!(out, "{}", self.table().markdown());
        let _ = writeln!(
            out,
            "Medians of the rounds, in brackets the best. Peak: largest process, in brackets all of the browser's.\n"
        );
        let _ = writeln!(out, "## Ratios\n\n{}", self.goal_table(true).markdown());
        if !self.curve.is_empty() {
            let _ = writeln!(out, "## Decode over context\n\n{}", curve::table(&self.curve).markdown());
        }
        for line in self.remarks() {
            let _ = writeln!(out, "- {line}");
        }
        out
    }

    fn svg(&self) -> String {
        let mut prompts: Vec<&str> =
            self.rows.iter().map(|row| row.prompt.as_str()).filter(|name| *name != "raw").collect();
        prompts.sort_unstable_by_key(|name| (name.len(), *name));
        prompts.dedup();
        let mut panels = Vec::new();
        for prompt in prompts {
            for (title, value) in
                [("decode", (|row| row.decode_tps) as fn(&Row) -> Option<Summary>), ("prefill", |row| row.prefill_tps)]
            {
                let bars = self.rows.iter().filter(|row| row.prompt == prompt).filter_map(|row| {
                    let speed = value(row)?;
                    Some(Bar { label: row.name.clone(), value: speed.median, best: speed.max, ours: row.ours })
                });
                panels.push(Panel { title: format!("{prompt}: {title}, tokens/s"), bars: bars.collect() });
            }
        }
        let caption = format!("{}; {}; {}", self.date, self.machine.text(), self.quietness.text());
        chart::svg(&format!("inshore and its peers, {}", self.model), &panels, &caption)
    }

    /// Writes the three files into `folder` and returns their paths.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(folder)?;
        // Colons are not allowed in file names everywhere.
        let name = self.date.replace(':', "-");
        let files = [("json", serde_json::to_string_pretty(self)?), ("md", self.markdown()), ("svg", self.svg())];
        let mut paths = Vec::new();
        for (extension, content) in files {
            let path = folder.join(format!("{name}.{extension}"));
            fs::write(&path, content).with_context(|| format!("could not write {}", path.display()))?;
            paths.push(path);
        }
        Ok(paths)
    }
}
