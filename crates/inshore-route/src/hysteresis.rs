//! Step 4: when `auto` leaves the device and when it comes back.
//!
//! One per local engine. Away holds for a dwell time, which doubles with every trial that fails; a return holds for a
//! dwell time as well. So a device whose speed goes up and down changes the side at most once per dwell time, trials
//! (`probing_recovery`, one request each) aside.

use crate::config::{RouteConfig, backoff_ms};
use crate::reason::Reason;
use crate::samples::Outcomes;

/// The side that `auto` has settled on.
#[derive(Debug, Clone)]
pub(crate) struct Hysteresis {
    side: Side,
    /// Which of the last answers were too slow.
    window: Outcomes,
    /// Trials that failed, and stays that were too short to count as recovered.
    failures: u32,
    /// How long it was away the last time.
    last_away_ms: f64,
}

#[derive(Debug, Clone)]
enum Side {
    Here {
        /// Of the return; none before the first departure.
        since_ms: Option<f64>,
        /// The trial's prompt: up to this length the return holds for a dwell time.
        proved_tokens: f64,
    },
    Away {
        since_ms: f64,
        until_ms: f64,
        /// The shortest prompt that this concerns: a slow prefill is no reason to send short prompts away.
        from_tokens: f64,
        reason: Reason,
        trial_runs: bool,
    },
}

/// What the settled side says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opinion {
    /// Nothing: prediction decides.
    None,
    /// It goes to the cloud.
    Away(Reason),
    /// It tries the device.
    Trial,
}

impl Hysteresis {
    pub(crate) fn new() -> Self {
        Self {
            side: Side::Here { since_ms: None, proved_tokens: 0.0 },
            window: Outcomes::default(),
            failures: 0,
            last_away_ms: 0.0,
        }
    }

    /// When the device last proved itself after a departure.
    pub(crate) fn returned_ms(&self) -> Option<f64> {
        match self.side {
            Side::Here { since_ms, .. } => since_ms,
            Side::Away { .. } => None,
        }
    }

    /// An answer of the device ended with this share of the speed that the SLO asks for.
    pub(crate) fn record(&mut self, ratio: f64, config: &RouteConfig) {
        self.window.push(ratio < config.leave_ratio, config.leave_window);
    }

    /// Leaves if enough of the last answers were too slow and the side may change now.
    pub(crate) fn settle(&mut self, now_ms: f64, config: &RouteConfig) {
        let may_leave = match self.side {
            Side::Here { since_ms, .. } => since_ms.is_none_or(|since| now_ms - since >= config.return_after_ms),
            // Only long prompts are away; now short ones are too slow as well.
            Side::Away { from_tokens, .. } => from_tokens > 0.0,
        };
        if may_leave && self.window.bad() >= config.leave_count {
            self.depart(now_ms, 0.0, Reason::MeasuredTpsTooLow, config);
        }
    }

    /// Leaves because of a prediction, for prompts from `from_tokens` on. False: the last return still holds.
    pub(crate) fn leave(&mut self, now_ms: f64, from_tokens: f64, reason: Reason, config: &RouteConfig) -> bool {
        if let Side::Here { since_ms: Some(since), proved_tokens } = self.side
            && now_ms - since < config.return_after_ms
            && from_tokens <= proved_tokens
        {
            return false;
        }
        self.depart(now_ms, from_tokens, reason, config);
        true
    }

    fn depart(&mut self, now_ms: f64, from_tokens: f64, reason: Reason, config: &RouteConfig) {
        match self.side {
            Side::Here { since_ms, .. } => {
                let recovered = since_ms.is_none_or(|since| now_ms - since >= self.last_away_ms);
                self.failures = if recovered { 0 } else { self.failures + 1 };
            }
            // It goes on, for shorter prompts too.
            Side::Away { .. } => {}
        }
        self.window = Outcomes::default();
        self.last_away_ms = backoff_ms(config.return_after_ms, self.failures, config.return_max_ms);
        let until_ms = now_ms + self.last_away_ms;
        self.side = Side::Away { since_ms: now_ms, until_ms, from_tokens, reason, trial_runs: false };
    }

    /// What holds for a request now. `believed_slow`: a fresh estimate says that a trial would be wasted.
    pub(crate) fn opinion(
        &mut self,
        now_ms: f64,
        prompt_tokens: f64,
        believed_slow: bool,
        config: &RouteConfig,
    ) -> Opinion {
        let Side::Away { until_ms, from_tokens, reason, trial_runs, .. } = self.side else { return Opinion::None };
        if prompt_tokens < from_tokens {
            return Opinion::None;
        }
        if now_ms < until_ms || trial_runs {
            return Opinion::Away(reason);
        }
        if believed_slow {
            self.trial_failed(now_ms, reason, config);
            return Opinion::Away(reason);
        }
        Opinion::Trial
    }

    /// The trial's leg starts.
    pub(crate) fn trial_started(&mut self) {
        if let Side::Away { trial_runs, .. } = &mut self.side {
            *trial_runs = true;
        }
    }

    /// The trial ended without a measurement; the next request is one.
    pub(crate) fn trial_released(&mut self) {
        if let Side::Away { trial_runs, .. } = &mut self.side {
            *trial_runs = false;
        }
    }

    /// The device was too slow again, or failed.
    pub(crate) fn trial_failed(&mut self, now_ms: f64, why: Reason, config: &RouteConfig) {
        if let Side::Away { until_ms, reason, trial_runs, .. } = &mut self.side {
            self.failures += 1;
            self.last_away_ms = backoff_ms(config.return_after_ms, self.failures, config.return_max_ms);
            *until_ms = now_ms + self.last_away_ms;
            *reason = why;
            *trial_runs = false;
        }
    }

    /// The device is fast again, as a prompt of this length has shown.
    pub(crate) fn returned(&mut self, now_ms: f64, prompt_tokens: f64) {
        if let Side::Away { since_ms, .. } = self.side {
            self.last_away_ms = now_ms - since_ms;
            self.window = Outcomes::default();
            self.side = Side::Here { since_ms: Some(now_ms), proved_tokens: prompt_tokens };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: Opinion = Opinion::Away(Reason::MeasuredTpsTooLow);

    fn config() -> RouteConfig {
        RouteConfig::default()
    }

    fn record(hysteresis: &mut Hysteresis, ratios: &[f64]) {
        for ratio in ratios {
            hysteresis.record(*ratio, &config());
        }
    }

    fn away() -> Hysteresis {
        let mut hysteresis = Hysteresis::new();
        record(&mut hysteresis, &[0.1; 3]);
        hysteresis.settle(0.0, &config());
        hysteresis
    }

    fn opinion(hysteresis: &mut Hysteresis, now_ms: f64) -> Opinion {
        hysteresis.opinion(now_ms, 50.0, false, &config())
    }

    #[test]
    fn three_of_five_below_four_fifths_leave() {
        let mut hysteresis = Hysteresis::new();
        record(&mut hysteresis, &[0.7, 0.7, 0.8, 0.9, 1.5, 0.79, 0.79]);
        hysteresis.settle(0.0, &config());
        assert_eq!(opinion(&mut hysteresis, 0.0), Opinion::None, "two of the last five");
        record(&mut hysteresis, &[2.0, 0.5]);
        hysteresis.settle(0.0, &config());
        assert_eq!(opinion(&mut hysteresis, 0.0), AWAY, "three");
    }

    #[test]
    fn one_trial_after_the_dwell_time_and_later_each_time() {
        let mut hysteresis = away();
        let mut now = 0.0;
        for wait in [30_000.0, 60_000.0, 120_000.0, 240_000.0, 480_000.0, 600_000.0, 600_000.0] {
            now += wait;
            assert_eq!(opinion(&mut hysteresis, now - 1.0), AWAY);
            assert_eq!(opinion(&mut hysteresis, now), Opinion::Trial);
            hysteresis.trial_started();
            assert_eq!(opinion(&mut hysteresis, now), AWAY, "one at a time");
            hysteresis.trial_failed(now, Reason::MeasuredTpsTooLow, &config());
        }
    }

    #[test]
    fn a_return_holds_for_a_dwell_time() {
        let mut hysteresis = away();
        hysteresis.trial_started();
        hysteresis.returned(30_000.0, 50.0);
        record(&mut hysteresis, &[0.1; 5]);
        hysteresis.settle(59_999.0, &config());
        assert!(!hysteresis.leave(59_999.0, 50.0, Reason::PredictedTtftTooLong, &config()), "proved with 50 tokens");
        assert_eq!(opinion(&mut hysteresis, 59_999.0), Opinion::None);
        hysteresis.settle(60_000.0, &config());
        assert_eq!(opinion(&mut hysteresis, 60_000.0), AWAY);
        assert_eq!(opinion(&mut hysteresis, 89_999.0), AWAY);
        assert_eq!(opinion(&mut hysteresis, 90_000.0), Opinion::Trial, "it had stayed as long as it was away");
    }

    #[test]
    fn a_long_prompt_leaves_alone() {
        let mut hysteresis = Hysteresis::new();
        assert!(hysteresis.leave(0.0, 1_000.0, Reason::PredictedTtftTooLong, &config()));
        assert_eq!(opinion(&mut hysteresis, 1.0), Opinion::None, "50 tokens are fine");
        let long = hysteresis.opinion(1.0, 1_000.0, false, &config());
        assert_eq!(long, Opinion::Away(Reason::PredictedTtftTooLong));
        record(&mut hysteresis, &[0.1; 3]);
        hysteresis.settle(2.0, &config());
        assert_eq!(opinion(&mut hysteresis, 2.0), AWAY, "until they are too slow as well");
    }

    #[test]
    fn a_trial_that_cannot_succeed_is_spared() {
        let mut hysteresis = away();
        assert_eq!(hysteresis.opinion(30_000.0, 50.0, true, &config()), AWAY);
        assert_eq!(opinion(&mut hysteresis, 89_999.0), AWAY, "the time away has doubled");
        assert_eq!(opinion(&mut hysteresis, 90_000.0), Opinion::Trial);
        hysteresis.trial_started();
        hysteresis.trial_released();
        assert_eq!(opinion(&mut hysteresis, 90_000.0), Opinion::Trial, "no outcome, no verdict");
    }
}
