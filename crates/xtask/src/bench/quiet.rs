//! Is the machine quiet enough to trust a figure? Load, CPU pressure, and what others computed just before.

use std::fs;
use std::thread;
use std::time::Duration;

use serde::Serialize;

/// Others may take this share of the machine in the moment before a measurement.
const MOST_BUSY: f64 = 0.08;
/// A virtual machine may lose this share to its neighbours during a measurement.
const MOST_STOLEN: f64 = 0.02;
/// Share of time in which a task waited for a CPU, averaged over 10 s, before the run, in percent.
const MOST_PRESSURE: f64 = 5.0;
const MOST_LOAD_PER_CORE: f64 = 0.3;
/// What ran before needs this long to go away.
const SETTLE: Duration = Duration::from_millis(400);
const WINDOW: Duration = Duration::from_millis(400);

/// What the system says of itself; absent where it does not (other systems than Linux).
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Load {
    /// Load average of the last minute.
    pub load1: Option<f64>,
    /// `some avg10` of `/proc/pressure/cpu`, in percent.
    pub cpu_pressure: Option<f64>,
}

impl Load {
    /// Now.
    pub fn now() -> Self {
        let number = |text: &str| text.parse().ok();
        let load1 =
            fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split_whitespace().next().and_then(number));
        let cpu_pressure = fs::read_to_string("/proc/pressure/cpu").ok().and_then(|text| pressure_of(&text));
        Self { load1, cpu_pressure }
    }

    /// Why the machine is not quiet, if it is not.
    pub fn complaint(&self, cores: usize) -> Option<String> {
        if let Some(pressure) = self.cpu_pressure.filter(|pressure| *pressure > MOST_PRESSURE) {
            return Some(format!("CPU pressure {pressure:.0} % (over 10 s; at most {MOST_PRESSURE} %)"));
        }
        let most = MOST_LOAD_PER_CORE * cores as f64;
        self.load1.filter(|load| *load > most).map(|load| format!("load average {load:.2} (at most {most:.2})"))
    }
}

fn pressure_of(text: &str) -> Option<f64> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    some.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

/// How disturbed one measurement was.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Disturbance {
    /// Share of all cores that others used just before.
    pub busy_before: Option<f64>,
    /// Share of all cores that the hypervisor gave to others meanwhile.
    pub stolen: Option<f64>,
}

impl Disturbance {
    /// Whether the figure can be trusted, as far as the system tells.
    pub fn is_small(&self) -> bool {
        self.busy_before.is_none_or(|busy| busy <= MOST_BUSY) && self.stolen.is_none_or(|stolen| stolen <= MOST_STOLEN)
    }
}

/// CPU time since the start of the system, in clock ticks over all cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    busy: u64,
    stolen: u64,
    total: u64,
}

impl CpuTime {
    /// Now; nothing without `/proc/stat`.
    pub fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<u64> = text
            .lines()
            .next()?
            .strip_prefix("cpu ")?
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        // user, nice, system, idle, iowait, irq, softirq, steal; guest time is already in user.
        let [user, nice, system, idle, iowait, irq, softirq, stolen] = *numbers.first_chunk()?;
        let busy = user + nice + system + irq + softirq + stolen;
        Some(Self { busy, stolen, total: busy + idle + iowait })
    }

    fn share(self, earlier: Self, of: impl Fn(Self) -> u64) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)?;
        Some(of(self).saturating_sub(of(earlier)) as f64 / total as f64)
    }
}

/// Watches one measurement: others' work before it, stolen time during it.
pub struct Watch {
    busy_before: Option<f64>,
    start: Option<CpuTime>,
}

impl Watch {
    /// Lets the machine settle, looks, and starts.
    pub fn start() -> Self {
        thread::sleep(SETTLE);
        let earlier = CpuTime::now();
        if earlier.is_some() {
            thread::sleep(WINDOW);
        }
        let start = CpuTime::now();
        let busy_before = earlier.zip(start).and_then(|(earlier, now)| now.share(earlier, |time| time.busy));
        Self { busy_before, start }
    }

    /// Ends with the measurement.
    pub fn end(self) -> Disturbance {
        let stolen = self.start.zip(CpuTime::now()).and_then(|(start, now)| now.share(start, |time| time.stolen));
        Disturbance { busy_before: self.busy_before, stolen }
    }
}

/// What the run as a whole says of the machine.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Quietness {
    /// Before the run.
    pub before: Load,
    /// Measurements that others disturbed.
    pub disturbed: usize,
    /// All measurements.
    pub measurements: usize,
    /// Why the figures are not to be trusted; empty if they are.
    pub complaints: Vec<String>,
}

impl Quietness {
    /// From the load before the run and what each measurement saw.
    pub fn judge(before: Load, seen: &[Disturbance], cores: usize) -> Self {
        let disturbed = seen.iter().filter(|one| !one.is_small()).count();
        let mut complaints: Vec<String> =
            before.complaint(cores).into_iter().map(|text| format!("before the run: {text}")).collect();
        // One in ten may be an accident; the median over the rounds takes care of it.
        if disturbed * 10 > seen.len() {
            complaints.push(format!(
                "{disturbed} of {} measurements: others took more than {:.0} % of the machine before, or {:.0} % of it was stolen",
                seen.len(),
                MOST_BUSY * 100.0,
                MOST_STOLEN * 100.0
            ));
        }
        Self { before, disturbed, measurements: seen.len(), complaints }
    }

    /// One line for people.
    pub fn text(&self) -> String {
        if self.complaints.is_empty() {
            return format!("quiet ({} of {} measurements disturbed)", self.disturbed, self.measurements);
        }
        format!("TOO LOADED TO TRUST THESE FIGURES: {}", self.complaints.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_words_are_read() {
        let text = "some avg10=12.50 avg60=1.00 avg300=0.10 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(pressure_of(text), Some(12.5));
        assert_eq!(pressure_of("nothing"), None);
        let time = CpuTime::parse("cpu  10 1 4 80 2 1 1 3 7 0\ncpu0 5 0 2 40 1 0 0 1 3 0\n").expect("numbers");
        assert_eq!(time, CpuTime { busy: 20, stolen: 3, total: 102 });
    }

    #[test]
    fn shares_are_of_what_passed_between() {
        let earlier = CpuTime { busy: 100, stolen: 10, total: 1000 };
        let now = CpuTime { busy: 150, stolen: 12, total: 1200 };
        assert_eq!(now.share(earlier, |time| time.busy), Some(0.25));
        assert_eq!(now.share(earlier, |time| time.stolen), Some(0.01));
        assert_eq!(now.share(now, |time| time.busy), None);
    }

    #[test]
    fn a_loaded_machine_is_called_that() {
        let idle = Load { load1: Some(0.1), cpu_pressure: Some(0.0) };
        let calm = Disturbance { busy_before: Some(0.01), stolen: Some(0.0) };
        let busy = Disturbance { busy_before: Some(0.6), stolen: Some(0.0) };
        assert!(Quietness::judge(idle, &[calm; 10], 2).complaints.is_empty());
        let mixed: Vec<_> = [calm; 9].into_iter().chain([busy]).collect();
        assert!(Quietness::judge(idle, &mixed, 2).complaints.is_empty(), "one in ten");
        assert!(Quietness::judge(idle, &[calm, busy], 2).text().contains("TOO LOADED"));
        let loaded = Load { load1: Some(3.0), cpu_pressure: None };
        assert!(Quietness::judge(loaded, &[calm], 2).text().contains("load average 3.00"));
    }
}
