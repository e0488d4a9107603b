//! How far a GPU runs ahead of the tokens that are read: further where steps are short, since what a readback takes does not
//! shrink with them (in a browser a few milliseconds, which are several steps of a small model on a large GPU).

use std::time::Duration;

use web_time::Instant;

/// Most time that a GPU may be busy with steps past the end of an answer, which nobody reads and the next answer waits for.
const PAST_THE_END: Duration = Duration::from_millis(8);

/// Most steps ahead: more than a readback takes anywhere.
const MOST_AHEAD: usize = 4;

/// The pace of an answer's steps.
#[derive(Debug, Default)]
pub struct Lookahead {
    last: Option<Instant>,
    /// Time from one token to the next, smoothed.
    step: Option<Duration>,
    /// Steps ahead, whatever they take.
    fixed: Option<usize>,
}

impl Lookahead {
    /// Of an engine that runs `fixed` steps ahead, or as many as fit.
    pub fn new(fixed: Option<usize>) -> Self {
        Self { fixed, ..Self::default() }
    }

    /// A token was read, behind others of the same answer.
    pub fn read(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            self.took(now - last);
        }
    }

    /// The next token is another answer's, or follows something else: its time is not a step's.
    pub fn pause(&mut self) {
        self.last = None;
    }

    /// Steps to launch ahead of the one that is read; at least one, unless it is fixed.
    pub fn ahead(&self) -> usize {
        let fit = |step: Duration| (PAST_THE_END.as_nanos() / step.as_nanos().max(1)) as usize;
        self.fixed.unwrap_or_else(|| self.step.map_or(1, |step| fit(step).clamp(1, MOST_AHEAD)))
    }

    /// An eighth of what is new: one slow step does not count.
    fn took(&mut self, step: Duration) {
        self.step = Some(self.step.map_or(step, |before| (before * 7 + step) / 8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps_ms: impl IntoIterator<Item = u64>) -> Lookahead {
        let mut pace = Lookahead::default();
        let mut now = Instant::now();
        pace.read(now);
        for step_ms in steps_ms {
            now += Duration::from_millis(step_ms);
            pace.read(now);
        }
        pace
    }

    #[test]
    fn short_steps_run_further_ahead() {
        let ahead = |step_ms| after([step_ms; 9]).ahead();
        assert_eq!([0, 1, 2, 3, 4, 5, 8, 9, 3_600_000].map(ahead), [4, 4, 4, 2, 2, 1, 1, 1, 1]);
    }

    #[test]
    fn it_begins_with_one_and_follows_the_steps() {
        assert_eq!(Lookahead::default().ahead(), 1);
        assert_eq!(after([]).ahead(), 1);
        assert_eq!(after([1; 5].into_iter().chain([100; 5])).ahead(), 1);
        assert_eq!(after([100; 5].into_iter().chain([1; 40])).ahead(), 4);
        assert_eq!(after([1; 8].into_iter().chain([9])).ahead(), 4, "one slow step");
    }

    #[test]
    fn what_lies_between_two_answers_is_no_step() {
        let mut pace = after([1; 8]);
        pace.pause();
        pace.read(Instant::now() + Duration::from_secs(60));
        assert_eq!(pace.ahead(), 4);
    }
}
