//! The forms of a report: JSON, Markdown, the terminal, a chart.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::chart::{self, Bar, Panel};
use super::curve;
use super::goals::{self, Quantity};
use super::golden::Agreement;
use super::overhead;
use super::report::{Report, Row};
use super::statistics::Summary;
use super::table::{Table, digits, or_dash};

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

    /// What only some runs measure.
    fn further_tables(&self) -> Vec<(&'static str, Table)> {
        let mut tables = Vec::new();
        if !self.curve.is_empty() {
            tables.push(("Decode over context", curve::table(&self.curve)));
        }
        if !self.overhead.is_empty() {
            tables.push(("What a kernel costs the CPU, without its arithmetic", overhead::table(&self.overhead)));
        }
        if !self.figures.is_empty() {
            tables.push(("Promises that are no ratios", goals::table(&self.figures)));
        }
        tables
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
        for (title, table) in self.further_tables() {
            let _ = write!(out, "\n{title}:\n{}", table.text());
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
        for (title, table) in self.further_tables() {
            let _ = writeln!(out, "## {title}\n\n{}", table.markdown());
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
        let (machine, quiet) = (self.machine.text(), self.quietness.text());
        let caption: Vec<&str> =
            std::iter::once(self.date.as_str()).chain(machine.split("; ")).chain(quiet.split("; ")).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bandwidth::Bandwidth;
    use crate::bench::contestant::find;
    use crate::bench::goals;
    use crate::bench::machine::Machine;
    use crate::bench::measurement::tests::sample;
    use crate::bench::quiet::{Disturbance, Quietness};
    use crate::bench::report::{Absence, Run, rows};
    use crate::bench::traffic::Traffic;

    fn report() -> Report {
        let run = |contestant, round, decode_ms| Run {
            contestant,
            round,
            measurement: sample("p64", 500.0, decode_ms),
            agreement: None,
            disturbance: Disturbance::default(),
            elsewhere: contestant == "wllama-gpu",
        };
        let runs = vec![
            run("native-1", 0, 1000.0),
            run("native-1", 1, 500.0),
            run("llamacpp-1", 0, 1000.0),
            run("llamacpp-1", 1, 500.0),
            run("wllama-gpu", 0, 100.0),
        ];
        let traffic = Traffic { weight_bytes: 100_000_000, weights: 100_000_000, kv_values_per_token: 0 };
        let bandwidth = vec![Bandwidth { threads: 1, read_bytes_per_s: 10e9, copy_bytes_per_s: 10e9 }];
        let chosen = ["native-1", "llamacpp-1", "wllama-gpu"].map(|id| find(id).expect("known"));
        Report {
            date: "2026-11-22T23:07:50Z".to_owned(),
            command: "cargo xtask bench".to_owned(),
            machine: Machine {
                cpu: "a CPU".to_owned(),
                cores: 1,
                memory_bytes: Some(8 << 30),
                system: "Linux".to_owned(),
                adapters: Vec::new(),
                commit: "abc".to_owned(),
            },
            model: "m.gguf".to_owned(),
            traffic,
            quietness: Quietness::default(),
            rows: rows(&chosen, &runs, &traffic, &bandwidth),
            goals: goals::judge(&runs, 2),
            bandwidth,
            absent: vec![Absence { contestant: "tjs-gpu", reason: "no adapter".to_owned() }],
            curve: Vec::new(),
            figures: Vec::new(),
            overhead: Vec::new(),
            runs,
        }
    }

    #[test]
    fn the_terminal_shows_medians_shares_ratios_and_who_is_missing() {
        let text = report().text();
        let ours = text.lines().find(|line| line.starts_with("inshore, native CPU")).expect("a row");
        // Ten tokens in 1000 and 500 ms, of 100 MB each, on 10 GB/s.
        assert!(ours.contains("15.0 (20.0)") && ours.contains("15 %"), "{ours}");
        assert!(text.lines().any(|line| line.starts_with("decode") && line.ends_with("yes")), "{text}");
        assert!(text.contains("promised ratios were not measured"));
        assert!(text.contains("Absent: tjs-gpu: no adapter"));
        assert!(text.contains("NOT the GPU"), "a peer that falls back is called that");
    }

    #[test]
    fn files_carry_date_and_machine() {
        let folder = std::env::temp_dir().join(format!("inshore-render-{}", std::process::id()));
        let paths = report().write(&folder).expect("written");
        let [json, markdown, svg] = [0, 1, 2].map(|at: usize| fs::read_to_string(&paths[at]).expect("there"));
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["runs"][0]["ttft_ms"], 500.0);
        assert_eq!(value["rows"][0]["decode_tps"]["max"], 20.0);
        assert!(markdown.starts_with("# inshore bench, 2026-11-22T23:07:50Z") && markdown.contains("Machine: a CPU"));
        assert!(svg.contains("a CPU, 1 threads, 8 GiB"));
        fs::remove_dir_all(folder).expect("remove");
    }
}
