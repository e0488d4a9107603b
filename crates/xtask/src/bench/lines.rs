//! Runs a contestant's process and reads what it prints, line by line.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

/// Runs a command quietly, at most `limit`, and gives the lines of its output.
pub fn lines_of(command: &mut Command, limit: Duration) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    each_line(command, limit, |line| lines.push(line.to_owned()))?;
    Ok(lines)
}

/// Runs a command quietly, at most `limit`, and hands on each line of its output; an error carries the last lines of its
/// error output.
pub fn each_line(command: &mut Command, limit: Duration, mut on_line: impl FnMut(&str)) -> Result<()> {
    let line = process::render(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("could not start `{line}`"))?;
    let stdout = child.stdout.take().context("no standard output")?;
    let stderr = child.stderr.take().context("no error output")?;
    let reader =
        thread::spawn(move || -> Vec<String> { BufReader::new(stdout).lines().map_while(Result::ok).collect() });
    let errors = thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read is not reported; there is nothing better to do with it.
        let _ = BufReader::new(stderr).read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    for line in reader.join().unwrap_or_default() {
        on_line(&line);
    }
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("{}", complaint(&errors.join().unwrap_or_default(), &status.to_string())),
        None => bail!("not done within {}", process::seconds(limit)),
    }
}

/// The last words of an error output, without the noise of Mesa and Node.js.
fn complaint(errors: &str, status: &str) -> String {
    let lines: Vec<&str> = errors
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("XDG_RUNTIME_DIR") && !line.starts_with("at "))
        .collect();
    let last = lines[lines.len().saturating_sub(4)..].join(" ");
    if last.is_empty() { status.to_owned() } else { last.chars().take(400).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn commands_have_a_limit_and_errors_their_words() {
        let sh = |script: &str| lines_of(Command::new("sh").args(["-c", script]), Duration::from_millis(600));
        assert_eq!(sh("echo a; echo b").expect("ran"), ["a", "b"]);
        assert_eq!(sh("echo 'no adapter' >&2; exit 3").expect_err("failed").to_string(), "no adapter");
        assert!(sh("exec sleep 5").expect_err("too long").to_string().starts_with("not done within"));
    }
}
