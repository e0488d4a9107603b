//! `cargo xtask test`: every suite runs, even after a failure, and the counts come last.

mod suites;
mod summary;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::process;
use crate::workspace::Workspace;
use suites::Suites;
use summary::{Counts, Outcome};

/// What to run.
#[derive(Args)]
pub struct TestOptions {
    /// Leave out what needs the WebAssembly build or a browser.
    #[arg(long)]
    quick: bool,
    /// A suite (rust, kernels, xtask, web, worker, frameworks, tokenizer, templates, browser, package), or else a part of the names of
    /// Rust tests.
    filter: Option<String>,
}

/// Runs the suites and prints one line for each, then the sum.
pub fn run(workspace: &Workspace, options: &TestOptions) -> Result<()> {
    let start = Instant::now();
    let plan = Plan::new(options);
    let mut suites = Suites::new(workspace, plan.rust_filter.clone());
    let mut outcomes = Vec::new();
    for name in &plan.suites {
        let begin = Instant::now();
        process::heading(&format!("Tests: {name}"));
        process::note(suites::about(name));
        let counts = match suites.run(name) {
            Ok(counts) => counts,
            Err(error) => {
                process::note(&format!("error: {error:#}"));
                Counts { failed: 1, ..Counts::default() }
            }
        };
        outcomes.push(Outcome { name, counts, time: begin.elapsed() });
    }
    print!("{}", summary::table(&outcomes, start.elapsed()));
    let total = summary::total(&outcomes);
    if total.failed > 0 {
        bail!("{} failed", total.failed);
    }
    if total.passed + total.skipped == 0 {
        bail!("no test ran: is {:?} a part of a test's name?", options.filter.as_deref().unwrap_or_default());
    }
    Ok(())
}

/// The suites to run, in order, and what narrows the Rust tests.
struct Plan {
    suites: Vec<&'static str>,
    rust_filter: Option<String>,
}

impl Plan {
    fn new(options: &TestOptions) -> Self {
        let quick = ["xtask", "rust", "web", "worker"];
        match &options.filter {
            Some(filter) => match suites::NAMES.iter().find(|name| *name == filter) {
                Some(name) => Self { suites: vec![name], rust_filter: None },
                None => Self { suites: vec!["rust"], rust_filter: Some(filter.clone()) },
            },
            None if options.quick => Self { suites: quick.to_vec(), rust_filter: None },
            None => Self { suites: suites::NAMES.to_vec(), rust_filter: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(quick: bool, filter: Option<&str>) -> Plan {
        Plan::new(&TestOptions { quick, filter: filter.map(str::to_owned) })
    }

    #[test]
    fn everything_runs_unless_told_otherwise() {
        assert_eq!(plan(false, None).suites, suites::NAMES);
        for suite in ["kernels", "browser"] {
            assert!(!plan(true, None).suites.contains(&suite), "{suite} is not quick");
        }
    }

    #[test]
    fn a_filter_is_a_suite_or_a_part_of_a_test_name() {
        assert_eq!(plan(false, Some("browser")).suites, ["browser"]);
        let narrowed = plan(false, Some("rope"));
        assert_eq!((narrowed.suites, narrowed.rust_filter.as_deref()), (vec!["rust"], Some("rope")));
    }
}
