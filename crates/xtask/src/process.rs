//! Child processes: what runs is shown, how long it took is measured, and a failure names the command.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

thread_local! {
    /// Where this thread's output goes instead of the terminal: work in the background must not write over the foreground.
    static LOG: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Redirects this thread's output to `log`, and runs its commands at the lowest priority.
pub fn run_in_background(log: File) {
    LOG.set(Some(log));
}

/// Prints a heading for a part of the work.
pub fn heading(text: &str) {
    print_line(&format!("\n==> {text}"));
}

/// Prints a line below the heading.
pub fn note(text: &str) {
    print_line(&format!("    {text}"));
}

fn print_line(text: &str) {
    LOG.with_borrow_mut(|log| match log {
        // A full disk must not end the work that the log is about.
        Some(file) => drop(writeln!(file, "{text}")),
        None => eprintln!("{text}"),
    });
}

/// The command as this thread runs it: as it is, or in the background with its output in the log.
fn prepared(command: &mut Command) -> Result<Command> {
    LOG.with_borrow(|log| {
        let log = log.as_ref();
        let mut prepared = match log.and_then(|_| find_program("nice")) {
            Some(nice) => {
                let mut prepared = Command::new(nice);
                prepared.args(["-n", "19"]).arg(command.get_program());
                prepared
            }
            None => Command::new(command.get_program()),
        };
        prepared.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => prepared.env(name, value),
                None => prepared.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            prepared.current_dir(folder);
        }
        if let Some(log) = log {
            prepared.stdout(log.try_clone()?).stderr(log.try_clone()?);
        }
        Ok(prepared)
    })
}

/// A duration for people: `0.4 s`, `83 s`, `12 min 05 s`.
pub fn seconds(time: Duration) -> String {
    let total = time.as_secs();
    match total {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{total} s"),
        _ => format!("{} min {:02} s", total / 60, total % 60),
    }
}

/// The command as one could type it.
pub fn render(command: &Command) -> String {
    let mut line = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args().map(|argument| argument.to_string_lossy()) {
        if argument.contains([' ', '"']) {
            let _ = write!(line, " '{argument}'");
        } else {
            let _ = write!(line, " {argument}");
        }
    }
    line
}

/// `cargo` without the variables that `cargo run` set for xtask itself: build scripts would see them.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"].iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command with its output shown; an error names it and where it ran.
pub fn run(command: &mut Command) -> Result<()> {
    run_with(command, Output::Shown)
}

/// Like [`run`], but hides standard output; errors on standard error are still shown.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    run_with(command, Output::Dropped)
}

#[derive(PartialEq)]
enum Output {
    Shown,
    Dropped,
}

fn run_with(command: &mut Command, output: Output) -> Result<()> {
    let line = render(command);
    note(&format!("$ {line}"));
    let start = Instant::now();
    let mut command = prepared(command)?;
    if output == Output::Dropped {
        command.stdout(Stdio::null());
    }
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("could not start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status}); its own message is above");
    }
    if start.elapsed() > Duration::from_secs(1) {
        note(&format!("done in {}", seconds(start.elapsed())));
    }
    Ok(())
}

/// Runs a command quietly and returns what it printed; an error carries its error output.
pub fn output(command: &mut Command) -> Result<String> {
    let line = render(command);
    let result = command.stdin(Stdio::null()).output().with_context(|| format!("could not start `{line}`"))?;
    if !result.status.success() {
        bail!("`{line}` failed ({}):\n{}", result.status, String::from_utf8_lossy(&result.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// Runs a command with its output shown and its standard output kept. Returns whether it succeeded, and the lines.
pub fn tee(command: &mut Command) -> Result<(bool, Vec<String>)> {
    let line = render(command);
    note(&format!("$ {line}"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{line}`"))?;
    let mut lines = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        // Read as bytes: a runner may print something that is not UTF-8, and that must not end the run.
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            println!("{text}");
            lines.push(text);
            bytes.clear();
        }
    }
    let status = child.wait().with_context(|| format!("lost `{line}`"))?;
    if !status.success() {
        note(&format!("`{line}` failed ({status})"));
    }
    Ok((status.success(), lines))
}

/// Where a program is on `PATH`, if it is there.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(Duration::from_millis(440)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(83)), "83 s");
        assert_eq!(seconds(Duration::from_secs(725)), "12 min 05 s");
    }

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("/usr/bin/node");
        command.args(["ask.mjs", "--question", "What is a shore?"]);
        assert_eq!(render(&command), "node ask.mjs --question 'What is a shore?'");
    }

    #[test]
    fn tee_keeps_lines_and_reports_failure() {
        let (success, lines) = tee(Command::new("rustc").arg("--version")).expect("rustc starts");
        assert!(success);
        assert!(lines[0].starts_with("rustc "));
        let (success, _) = tee(Command::new("rustc").arg("--no-such-option")).expect("rustc starts");
        assert!(!success);
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let error = output(&mut Command::new("inshore-no-such-program")).expect_err("there is no such program");
        assert!(error.to_string().contains("inshore-no-such-program"), "{error}");
    }
}
