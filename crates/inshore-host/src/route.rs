//! `inshore route replay`: why a request went where it went, and where it would have gone under other constants.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use inshore_route::{Timeline, Trace};

use crate::cli::{ReplayArgs, RouteCommand};

/// Runs a subcommand of `inshore route`.
pub fn run(command: &RouteCommand) -> Result<ExitCode> {
    match command {
        RouteCommand::Replay(args) => replay(args),
    }
}

fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    let file = args.trace.display();
    let text = std::fs::read_to_string(&args.trace).with_context(|| format!("could not read {file}"))?;
    let mut trace = Trace::parse(&text).with_context(|| format!("{file} is no trace of the routing policy"))?;
    for setting in &args.set {
        trace.set(setting)?;
    }
    let steps = trace.replay()?;
    let differences = steps.iter().filter(|step| step.recorded.is_some()).count();
    let outcome = if args.json { show_json(&steps) } else { show_timeline(&steps, differences) };
    match outcome {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other.context("could not write the replay")?,
    }
    Ok(if args.check && differences > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One object a line, as in the trace; `recorded` where the orders differ.
fn show_json(steps: &[inshore_route::Step]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for step in steps {
        serde_json::to_writer(&mut out, step)?;
        writeln!(out)?;
    }
    out.flush()
}

fn show_timeline(steps: &[inshore_route::Step], differences: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{}", Timeline(steps))?;
    match differences {
        0 => writeln!(out, "{} events, decided as recorded", steps.len()),
        some => writeln!(out, "{} events, {some} decided otherwise than recorded (marked !)", steps.len()),
    }
}
