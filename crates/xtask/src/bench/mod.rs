//! `cargo xtask bench`: our engine and its peers in one run, in turn, on the same weights and prompts.

mod bandwidth;
mod chart;
mod contestant;
mod curve;
mod engine_page;
mod goals;
mod golden;
mod lavapipe;
mod lines;
mod machine;
mod measurement;
mod overhead;
mod peers;
mod plan;
mod quiet;
mod render;
mod report;
mod runner;
mod statistics;
mod table;
mod traffic;
mod variants;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::bandwidth::Bandwidth;
use self::contestant::{Contestant, Device};
use self::lavapipe::Lavapipe;
use self::machine::Machine;
use self::peers::Peers;
use self::plan::Plan;
use self::quiet::{Load, Quietness};
use self::report::Report;
use self::runner::Place;
use self::table::Table;
use self::traffic::Traffic;
use crate::demo::page::{self, OldFiles};
use crate::setup::model::{self, ReadyModel};
use crate::setup::system_packages;
use crate::workspace::Workspace;
use crate::{process, wasm};

/// What to measure.
#[derive(Args)]
pub struct BenchOptions {
    /// Contestants by id, comma-separated; `simd*` for all that begin so, `ours` or `peers` [default: all].
    #[arg(long)]
    contestants: Option<String>,
    /// Name all contestants and end.
    #[arg(long)]
    list: bool,
    /// How often everybody is measured, in turn (on a software GPU at most twice).
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Tokens to generate, at most 64 of which have a reference (on a software GPU fewer).
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Prompts, comma-separated: raw (5 tokens), p64 (94), p512 (542) [default: p64,p512; fewer on a software GPU].
    #[arg(long)]
    prompts: Option<String>,
    /// One round, 16 tokens, the prompt p64.
    #[arg(long)]
    quick: bool,
    /// Also measure our decode speed from 256 to 4,096 tokens of context.
    #[arg(long)]
    curve: bool,
    /// Measure a model of this shape with weights from a seed instead of the default model.
    #[arg(long, value_parser = variants::SHAPES.map(|shape| shape.name))]
    synthetic: Option<String>,
    /// Measure what is built already: neither the native binary, the wasm module nor the page is brought up to date.
    #[arg(long)]
    no_build: bool,
    /// Most seconds for one contestant in one round.
    #[arg(long, default_value_t = 540)]
    limit: u64,
    /// Where the results go [default: bench in cargo's target folder].
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Sets up, measures, prints and writes.
pub fn run(workspace: &Workspace, options: &BenchOptions) -> Result<()> {
    let cores = machine::cores();
    if options.list {
        print!("{}", list(cores));
        return Ok(());
    }
    if options.rounds == 0 || options.tokens < 2 || options.limit == 0 {
        bail!("--rounds and --limit must be at least 1, --tokens at least 2: decode is measured between tokens");
    }
    let chosen = contestant::select(options.contestants.as_deref(), cores)?;
    if options.curve && !chosen.iter().any(|one| curve::CONTESTANTS.contains(&one.id)) {
        bail!("--curve measures {}, and none of them is chosen", curve::CONTESTANTS.join(", "));
    }
    let prompts = golden::prompts(workspace)?;
    let mut plan = Plan::new(options, chosen, prompts)?;

    let date = machine::now();
    let out = options.out.clone().unwrap_or_else(|| workspace.target.join("bench"));
    let files = workspace.target.join("bench").join("files");
    fs::create_dir_all(&files).with_context(|| format!("could not create {}", files.display()))?;
    let (place, devices) = set_up(workspace, options, &plan.chosen, &files)?;
    if options.synthetic.is_some() {
        plan.forget_references();
    }
    let peers = Peers::set_up(workspace, &plan.chosen, &place.model, &files);
    let machine = Machine::describe(workspace, &devices);
    let traffic = Traffic::of(&place.model)?;

    process::heading("Machine");
    process::note(&machine.text());
    let before = Load::now();
    if let Some(complaint) = before.complaint(cores) {
        process::note(&format!("NOT QUIET: {complaint}; the figures will not be worth much"));
    }
    let mut bandwidth = vec![Bandwidth::measure(1)];
    if cores > 1 {
        bandwidth.push(Bandwidth::measure(cores));
    }

    let mut report = Report {
        date,
        command: command_line(),
        machine,
        model: place.model.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        traffic,
        quietness: Quietness::default(),
        bandwidth,
        rows: Vec::new(),
        goals: Vec::new(),
        figures: Vec::new(),
        absent: Vec::new(),
        curve: Vec::new(),
        overhead: Vec::new(),
        runs: Vec::new(),
    };
    for round in 0..plan.rounds {
        process::heading(&format!("Round {} of {}", round + 1, plan.rounds));
        plan.round(round, &place, &peers, &mut report);
        bandwidth::refine(&mut report.bandwidth);
        summarise(&mut report, &plan, before, cores);
        // After each round, so that an interrupted run leaves what it has.
        report.write(&out)?;
    }
    if options.curve {
        process::heading("Decode over context");
        report.curve = curve::measure(&place, &traffic, &plan)?;
    }
    if let Some(lavapipe) = place.lavapipe.as_ref().filter(|_| overhead::is_wanted(&plan.chosen)) {
        process::heading("What a kernel costs the CPU");
        let tiny = variants::tiny(&place.model, &files)?;
        report.overhead = overhead::measure(&plan.chosen, &place, lavapipe, &tiny);
    }
    report.figures = goals::judge_figures(&report.curve, &report.overhead);
    // What is left of it would be in nobody's way.
    let _ = fs::remove_dir_all(&place.scratch);
    println!("\n{}", report.text());
    for path in report.write(&out)? {
        println!("{}", path.display());
    }
    if report.runs.is_empty() && report.overhead.is_empty() {
        bail!("nobody could be measured; the reasons are above");
    }
    Ok(())
}

fn summarise(report: &mut Report, plan: &Plan, before: Load, cores: usize) {
    let seen: Vec<_> = report.runs.iter().map(|run| run.disturbance).collect();
    report.quietness = Quietness::judge(before, &seen, cores);
    report.rows = report::rows(&plan.chosen, &report.runs, &report.traffic, &report.bandwidth);
    report.goals = goals::judge(&report.runs, plan.rounds);
}

/// The binary, the model, the page and a browser, as far as `chosen` need them; and what `inshore devices` says.
fn set_up(
    workspace: &Workspace,
    options: &BenchOptions,
    chosen: &[&Contestant],
    files: &Path,
) -> Result<(Place, String)> {
    let ready = if options.no_build { as_built(workspace)? } else { model::ensure(workspace)? };
    let has_page = chosen.iter().any(|contestant| contestant.runner == contestant::Runner::Page);
    if has_page && !options.no_build {
        page::build(workspace, &wasm::build(workspace)?, OldFiles::Remove)?;
    }
    if has_page && !workspace.path("web/dist/index.html").is_file() {
        bail!("the page is not built: leave --no-build out, or run `cargo xtask demo` once");
    }
    let browser = if chosen.iter().any(|one| one.is_web()) { Some(system_packages::browser()?) } else { None };
    if chosen.iter().any(|one| one.on_gpu()) {
        system_packages::vulkan()?;
    }
    let model = match &options.synthetic {
        Some(shape) => variants::synthetic(shape, &ready.path, files)?,
        None => ready.path,
    };
    let devices = process::output(Command::new(&ready.host).arg("devices"))?;
    let hardware_gpu =
        devices.lines().any(|line| line.starts_with(|c: char| c.is_ascii_digit()) && !runner::is_software(line));
    // Of its own: two runs at once would feed each other's contestants.
    let scratch = files.join(format!("run-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let needs_lavapipe = chosen.iter().any(|one| one.device == Device::Lavapipe) || overhead::is_wanted(chosen);
    let lavapipe = needs_lavapipe.then(|| Lavapipe::set_up(workspace, browser.as_deref(), files));
    let place = Place {
        host: ready.host,
        model,
        runners: workspace.path("tests/bench"),
        scratch,
        browser,
        lavapipe,
        cores: machine::cores(),
        hardware_gpu,
        limit: Duration::from_secs(options.limit),
    };
    Ok((place, devices))
}

/// The binary that is there, and the model that it finds or fetches.
fn as_built(workspace: &Workspace) -> Result<ReadyModel> {
    let host = workspace.host_binary();
    if !host.is_file() {
        bail!("{} is not there: leave --no-build out", host.display());
    }
    let text = process::output(Command::new(&host).arg("pull"))?;
    let path = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(PathBuf::from);
    Ok(ReadyModel { path: path.context("`inshore pull` printed no path")?, host })
}

fn list(cores: usize) -> String {
    let mut table = Table::new(["id", "contestant"], 2);
    for contestant in &contestant::ALL {
        table.row([contestant.id.to_owned(), contestant.name(cores)]);
    }
    table.text()
}

fn command_line() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo xtask {}", arguments.join(" "))
}
