//! Step 2: a circuit breaker for each engine and each endpoint.

use crate::config::{RouteConfig, backoff_ms};
use crate::order::BreakerState;
use crate::samples::Outcomes;

/// Opens after straight failures, or when half of its full window failed; then lets one leg through at a time of trial.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaker {
    state: State,
    /// Trials that failed since it was last closed.
    failed_trials: u32,
}

#[derive(Debug, Clone)]
enum State {
    Closed { straight: u32, outcomes: Outcomes },
    Open { until_ms: f64 },
    HalfOpen { trial_runs: bool },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { straight: 0, outcomes: Outcomes::default() }
    }
}

/// A change of state, to be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub(crate) state: BreakerState,
    pub(crate) until_ms: Option<f64>,
}

impl Change {
    fn to(state: BreakerState) -> Option<Self> {
        Some(Self { state, until_ms: None })
    }
}

impl Breaker {
    /// Whether a leg may start now.
    pub(crate) fn allows(&self, now_ms: f64) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until_ms } => now_ms >= until_ms,
            State::HalfOpen { trial_runs } => !trial_runs,
        }
    }

    /// A leg starts: whether it is the trial, and what changed. A leg that starts although the breaker does not allow it
    /// (there is no other side) is not a trial.
    pub(crate) fn start(&mut self, now_ms: f64) -> (bool, Option<Change>) {
        match self.state {
            State::Open { until_ms } if now_ms >= until_ms => {
                self.state = State::HalfOpen { trial_runs: true };
                (true, Change::to(BreakerState::HalfOpen))
            }
            State::HalfOpen { trial_runs: false } => {
                self.state = State::HalfOpen { trial_runs: true };
                (true, None)
            }
            _ => (false, None),
        }
    }

    /// A leg ended well, which closes a breaker in any state: it is evidence.
    pub(crate) fn succeeded(&mut self, config: &RouteConfig) -> Option<Change> {
        if let State::Closed { straight, outcomes } = &mut self.state {
            *straight = 0;
            outcomes.push(false, config.breaker_window);
            return None;
        }
        *self = Self::default();
        Change::to(BreakerState::Closed)
    }

    /// A leg failed.
    pub(crate) fn failed(&mut self, trial: bool, now_ms: f64, config: &RouteConfig) -> Option<Change> {
        match &mut self.state {
            State::Closed { straight, outcomes } => {
                *straight += 1;
                outcomes.push(true, config.breaker_window);
                let half = config.breaker_ratio * f64::from(config.breaker_window);
                let many = outcomes.is_full(config.breaker_window) && f64::from(outcomes.bad()) >= half;
                if *straight < config.breaker_failures && !many {
                    return None;
                }
            }
            State::HalfOpen { .. } if trial => self.failed_trials += 1,
            // An older leg, or one without another side: it says nothing new.
            _ => return None,
        }
        let until_ms = now_ms + backoff_ms(config.breaker_open_ms, self.failed_trials, config.breaker_max_ms);
        self.state = State::Open { until_ms };
        Some(Change { state: BreakerState::Open, until_ms: Some(until_ms) })
    }

    /// The trial ended without an outcome; the next leg is one.
    pub(crate) fn released(&mut self) {
        if let State::HalfOpen { trial_runs } = &mut self.state {
            *trial_runs = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RouteConfig {
        RouteConfig::default()
    }

    fn opened(config: &RouteConfig) -> Breaker {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.failed(false, 0.0, config), None);
        assert_eq!(breaker.failed(false, 0.0, config), None);
        let change = breaker.failed(false, 0.0, config).expect("the third");
        assert_eq!((change.state, change.until_ms), (BreakerState::Open, Some(30_000.0)));
        breaker
    }

    #[test]
    fn three_straight_failures_open_it_and_a_success_between_does_not() {
        let breaker = opened(&config());
        assert!(!breaker.allows(29_999.0) && breaker.allows(30_000.0));
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.failed(false, 0.0, &config());
            breaker.failed(false, 0.0, &config());
            breaker.succeeded(&config());
        }
        assert!(breaker.allows(0.0), "20 of 30, but the window is not full");
    }

    #[test]
    fn half_of_a_full_window_opens_it() {
        let mut breaker = Breaker::default();
        for _ in 0..15 {
            assert_eq!(breaker.succeeded(&config()), None);
            assert_eq!(breaker.failed(false, 0.0, &config()), None);
        }
        breaker.succeeded(&config());
        assert!(breaker.failed(false, 0.0, &config()).is_some(), "16 of 32");
    }

    #[test]
    fn half_open_lets_one_through_and_waits_longer_each_time() {
        let config = config();
        let mut breaker = opened(&config);
        let mut now = 0.0;
        for wait in [30_000.0, 60_000.0, 120_000.0, 240_000.0, 480_000.0, 600_000.0, 600_000.0] {
            now += wait;
            assert!(!breaker.allows(now - 1.0) && breaker.allows(now));
            let (trial, change) = breaker.start(now);
            assert!(trial && change == Change::to(BreakerState::HalfOpen));
            assert!(!breaker.allows(now) && !breaker.start(now).0, "one at a time");
            assert!(breaker.failed(trial, now, &config).is_some());
        }
        now += 600_000.0;
        breaker.start(now);
        assert_eq!(breaker.succeeded(&config), Change::to(BreakerState::Closed));
        for _ in 0..2 {
            breaker.failed(false, now, &config);
        }
        assert_eq!(breaker.failed(false, now, &config).and_then(|c| c.until_ms), Some(now + 30_000.0), "starts anew");
    }

    #[test]
    fn a_trial_without_outcome_gives_its_place_back() {
        let mut breaker = opened(&config());
        breaker.start(30_000.0);
        breaker.released();
        assert!(breaker.allows(30_000.0));
        assert_eq!(breaker.start(30_000.0), (true, None));
        assert_eq!(breaker.failed(false, 30_000.0, &config()), None, "an older leg is not a trial");
    }
}
