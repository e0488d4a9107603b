//! `inshore route replay`: why a request went where it went, and where it would have gone under other constants.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use inshore_route::{Timeline, Trace};

use crate::cli::{ReplayArgs, RouteCommand};
use crate::output;

/// Runs a subcommand of `inshore route`.
pub fn run(command: &RouteCommand) -> Result<ExitCode> {
    match command {
        RouteCommand::Replay(args) => replay(args),
    }
}

fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    let file = args.trace.display();
    let text = std::fs::read_to_string(&args.trace).with_context(|| format!("could not read {file}"))?;
    let mut trace = Trace::parse(&text).with_context(|| format!("{file} is not a trace of the routing policy"))?;
    for setting in &args.set {
        trace.set(setting)?;
    }
    let steps = trace.replay()?;
    let differences = steps.iter().filter(|step| step.recorded.is_some()).count();
    let printed = output::print_with(|out| match args.json {
        true => write_json(out, &steps),
        false => write_timeline(out, &steps, differences),
    });
    match printed {
        // `| head` has seen enough, and --check still decides the exit status.
        Ok(()) | Err(output::OutputError::Closed) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(if args.check && differences > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One object a line, as in the trace; `recorded` where the orders differ.
fn write_json(out: &mut dyn Write, steps: &[inshore_route::Step]) -> io::Result<()> {
    for step in steps {
        serde_json::to_writer(&mut *out, step)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_timeline(out: &mut dyn Write, steps: &[inshore_route::Step], differences: usize) -> io::Result<()> {
    write!(out, "{}", Timeline(steps))?;
    match differences {
        0 => writeln!(out, "{} events, decided as recorded", steps.len()),
        some => writeln!(out, "{} events, {some} decided otherwise than recorded (marked !)", steps.len()),
    }
}
