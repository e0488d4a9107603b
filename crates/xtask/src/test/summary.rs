//! Reads the counts that test runners print, and prints the sum.

use std::fmt::Write as _;
use std::ops::AddAssign;
use std::time::Duration;

use crate::process;

/// How many tests had which end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tests that held.
    pub passed: u64,
    /// Tests that did not.
    pub failed: u64,
    /// Tests that were left out by their runner.
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// One suite's result.
pub struct Outcome<'a> {
    /// The suite.
    pub name: &'a str,
    /// Its counts.
    pub counts: Counts,
    /// With all that it had to set up.
    pub time: Duration,
}

/// The counts on a line of output, all zero for a line that is not a runner's summary.
///
/// Understands `cargo test` (`test result: ok. 3 passed; 0 failed; ...`), vitest (`Tests  1 failed | 3 passed (4)`), node's
/// own runner (`ℹ pass 3`, `# fail 0`), and lines that begin with a count (`3 passed, 0 failed`), as Playwright's do.
pub fn counts_of(line: &str) -> Counts {
    let plain = without_colours(line);
    let words: Vec<&str> = plain.split(|c: char| !c.is_alphanumeric() && c != '#').filter(|w| !w.is_empty()).collect();
    match words.as_slice() {
        ["test", "result", ..] | ["Tests", ..] => pairs(words.windows(2).map(|pair| (pair[1], pair[0]))),
        ["ℹ" | "#", name @ ("pass" | "fail" | "skipped"), count] => pairs([(*name, *count)].into_iter()),
        [first, second, ..] if first.parse::<u64>().is_ok() && is_count_name(second) => {
            pairs(words.windows(2).map(|pair| (pair[1], pair[0])))
        }
        _ => Counts::default(),
    }
}

fn is_count_name(word: &str) -> bool {
    matches!(word, "passed" | "failed" | "skipped" | "ignored")
}

/// Sums `(name, number)` pairs; other words are passed over.
fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Counts {
    let mut counts = Counts::default();
    for (name, count) in pairs {
        let Ok(count) = count.parse::<u64>() else { continue };
        match name {
            "passed" | "pass" => counts.passed += count,
            "failed" | "fail" => counts.failed += count,
            "skipped" | "ignored" => counts.skipped += count,
            _ => {}
        }
    }
    counts
}

/// The line without ANSI colour sequences.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.trim().chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(|c| c.is_ascii_alphabetic());
        } else {
            plain.push(character);
        }
    }
    plain.trim().to_owned()
}

/// The sum over all suites.
pub fn total(outcomes: &[Outcome<'_>]) -> Counts {
    let mut sum = Counts::default();
    for outcome in outcomes {
        sum += outcome.counts;
    }
    sum
}

/// A line for each suite, and the sum as the last line.
pub fn table(outcomes: &[Outcome<'_>], time: Duration) -> String {
    let mut text = String::from("\n");
    for Outcome { name, counts, time } in outcomes {
        let mark = if counts.failed > 0 { "FAILED" } else { "ok" };
        let Counts { passed, failed, skipped } = counts;
        let time = process::seconds(*time);
        let _ =
            writeln!(text, "{mark:6} {name:10} {passed:>5} passed {failed:>4} failed {skipped:>4} skipped in {time}");
    }
    let Counts { passed, failed, skipped } = total(outcomes);
    let _ = writeln!(text, "\n{passed} passed, {failed} failed, {skipped} skipped in {}", process::seconds(time));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn each_runner_is_understood() {
        for (line, expected) in [
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
                (12, 0, 1),
            ),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out", (3, 2, 0)),
            ("      Tests  1 failed | 11 passed | 2 skipped (14)", (11, 1, 2)),
            (
                "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m7 passed\u{1b}[39m\u{1b}[22m\u{1b}[90m (7)\u{1b}[39m",
                (7, 0, 0),
            ),
            ("ℹ pass 9", (9, 0, 0)),
            ("ℹ fail 2", (0, 2, 0)),
            ("# skipped 4", (0, 0, 4)),
            ("2127 passed, 0 failed", (2127, 0, 0)),
            ("  3 passed (12.0s)", (3, 0, 0)),
        ] {
            assert_eq!(counts_of(line), counts(expected.0, expected.1, expected.2), "{line:?}");
        }
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "",
            " Test Files  2 passed (2)",
            "running 12 tests",
            "test parses_3_passed ... ok",
            "ℹ tests 9",
            "ℹ duration_ms 12.5",
            "# a heading 3",
            "loaded in 3 s, 4 failed before",
            "12 tokens passed",
        ] {
            assert_eq!(counts_of(line), Counts::default(), "{line:?}");
        }
    }

    #[test]
    fn the_last_line_is_the_sum() {
        let outcomes = [
            Outcome { name: "rust", counts: counts(10, 1, 0), time: Duration::from_secs(61) },
            Outcome { name: "web", counts: counts(5, 0, 2), time: Duration::from_secs(2) },
        ];
        let text = table(&outcomes, Duration::from_secs(63));
        assert!(text.contains("FAILED rust"), "{text}");
        assert_eq!(text.lines().last(), Some("15 passed, 1 failed, 2 skipped in 63 s"));
    }
}
