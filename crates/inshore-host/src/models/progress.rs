//! Progress of a download: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Reports how far a transfer is, on stderr.
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    total: u64,
    resumed_at: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Starts at `done` of `total` bytes (0: unknown).
    pub fn start(label: &str, done: u64, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total).with_position(done).with_message(label.to_owned());
            let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.reset_eta();
            bar
        });
        let now = Instant::now();
        let this = Self { bar, label: label.to_owned(), total, resumed_at: done, started: now, last_line: now };
        if this.bar.is_none() {
            this.line(done);
        }
        this
    }

    /// `done` bytes are there.
    pub fn set(&mut self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.last_line = Instant::now();
                self.line(done);
            }
            None => {}
        }
    }

    /// The transfer ended, well or not.
    pub fn finish(self, done: u64) {
        match &self.bar {
            Some(bar) => bar.abandon(),
            None => self.line(done),
        }
    }

    fn line(&self, done: u64) {
        let seconds = self.started.elapsed().as_secs_f64();
        let moved = done.saturating_sub(self.resumed_at);
        let rate = if seconds > 0.0 { moved as f64 / seconds } else { 0.0 };
        let label = &self.label;
        match self.total {
            0 => crate::note!("{label}: {}", HumanBytes(done)),
            total if done < total && rate > 0.0 => crate::note!(
                "{label}: {} of {}, {}/s, {:.0} s left",
                HumanBytes(done),
                HumanBytes(total),
                HumanBytes(rate as u64),
                (total - done) as f64 / rate
            ),
            total => crate::note!("{label}: {} of {}", HumanBytes(done), HumanBytes(total)),
        }
    }
}
