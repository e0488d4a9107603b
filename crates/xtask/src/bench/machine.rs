//! What was measured where and when.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::process;
use crate::workspace::Workspace;

/// The machine and the state of the checkout.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Hardware threads.
    pub cores: usize,
    /// Main memory in bytes, where the system tells.
    pub memory_bytes: Option<u64>,
    /// Operating system and architecture.
    pub system: String,
    /// GPU adapters, as `inshore devices` lists them.
    pub adapters: Vec<String>,
    /// The commit, with `+` if files differ from it.
    pub commit: String,
}

impl Machine {
    /// This one. `devices`: what `inshore devices` printed.
    pub fn describe(workspace: &Workspace, devices: &str) -> Self {
        let git = |arguments: &[&str]| {
            process::output(Command::new("git").current_dir(&workspace.root).args(arguments)).unwrap_or_default()
        };
        let dirty = if git(&["status", "--porcelain", "--untracked-files=no"]).trim().is_empty() { "" } else { "+" };
        let kernel =
            process::output(Command::new("uname").arg("-sr")).unwrap_or_else(|_| std::env::consts::OS.to_owned());
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned()),
            cores: cores(),
            memory_bytes: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
                .map(|kib| kib * 1024),
            system: format!("{}, {}", kernel.trim(), std::env::consts::ARCH),
            adapters: devices
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
                .map(adapter)
                .collect(),
            commit: format!("{}{dirty}", git(&["rev-parse", "--short", "HEAD"]).trim()),
        }
    }

    /// One line for people.
    pub fn text(&self) -> String {
        let memory = self.memory_bytes.map(|bytes| format!(", {} GiB", bytes >> 30)).unwrap_or_default();
        let adapters = if self.adapters.is_empty() { "no GPU adapter".to_owned() } else { self.adapters.join(" and ") };
        format!("{}, {} threads{memory}; {}; {adapters}", self.cpu, self.cores, self.system)
    }
}

/// `0    llvmpipe on Vulkan  (software: …)` without its index.
fn adapter(line: &str) -> String {
    let rest = line.split_once(char::is_whitespace).map_or(line, |(_, rest)| rest);
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Hardware threads.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The value of the first line `key : value` of a file in /proc.
fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(key))?.split_once(':')?;
    Some(value.trim().to_owned())
}

/// The time now, UTC: `2026-11-22T23:07:50Z`.
pub fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    timestamp(seconds)
}

fn timestamp(unix_s: u64) -> String {
    let (days, rest) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a day since 1970; years begin in March, so that the leap day is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_civil() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(timestamp(1_795_388_870), "2026-11-22T23:07:50Z");
    }

    #[test]
    fn adapters_lose_their_index() {
        assert_eq!(adapter("0    llvmpipe on Vulkan  (software)"), "llvmpipe on Vulkan (software)");
    }
}
