//! Every constant of the policy, with unit, default and the reason for it.

use serde::{Deserialize, Serialize};

/// The constants. In JSON any of them may be left out; unknown names are errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// Decode speed as a share of the SLO's minimum, 0..1. Below it a request counts as too slow. Default 0.8: a dip of a
    /// fifth goes unnoticed while reading.
    pub leave_ratio: f64,
    /// So many requests of the window must be too slow before the device is left. Default 3: one hiccup is none.
    pub leave_count: u32,
    /// Requests, at most 64. Default 5: about one conversation.
    pub leave_window: u32,
    /// Share of the SLO's minimum that a trial must reach to come back, at least 1. Default 1.2: with room to spare, or
    /// the next request leaves again.
    pub return_ratio: f64,
    /// Dwell time in ms: how long a change of side holds before the next one. Doubles with every trial that fails.
    /// Default 30,000: heat and other tabs change over minutes.
    pub return_after_ms: f64,
    /// ms; the dwell time grows no further. Default 600,000: a session of work sees some trials.
    pub return_max_ms: f64,
    /// Straight failures that open a breaker. Default 3.
    pub breaker_failures: u32,
    /// Outcomes that a breaker remembers, at most 64. Default 32.
    pub breaker_window: u32,
    /// Share of failures in a full window that opens a breaker, 0..1. Default 0.5.
    pub breaker_ratio: f64,
    /// ms; how long a breaker stays open at first. Doubles with every trial that fails. Default 30,000: a restart of most services.
    pub breaker_open_ms: f64,
    /// ms; it stays open no longer. Default 600,000.
    pub breaker_max_ms: f64,
    /// Requests, at most 1,000. Speeds are medians of so many. Default 16: recent, yet calm.
    pub history_requests: u32,
    /// Which quantile of real calls predicts the endpoint's TTFT, 0..1. Default 0.75: a promise should hold for most calls.
    pub cloud_ttft_quantile: f64,
    /// ms; the endpoint's TTFT before there were calls. Default 800: typical of hosted small models.
    pub default_cloud_ttft_ms: f64,
    /// Share of the SLO's TTFT before which no second leg starts. Default 0.6: enough time is left for the cloud to make it.
    pub hedge_slo_ratio: f64,
    /// Quantile of local TTFTs before which no second leg starts, 0..1. Default 0.95: only the slow tail is raced.
    pub hedge_quantile: f64,
    /// Share of all requests that may start a second leg, 0..1, counted exactly. Default 0.05: what races may cost.
    pub hedge_share: f64,
    /// ms without a token that never count as a stall. Default 5,000: above compilation hiccups, below patience.
    pub stall_ms: f64,
    /// A gap is a stall only above so many median gaps. Default 8: slow devices are slow, not stalled.
    pub stall_gap_ratio: f64,
    /// ms to the first token, on top of twice the prediction on the device. Default 30,000: where most clients give up.
    pub first_token_timeout_ms: f64,
    /// Time in ms without a token after which a leg counts as stalled even if it sends signs of life; added to the timeout of a
    /// silent leg. Default 600,000, because reasoning models think for minutes, and OpenAI's clients wait that long.
    pub alive_timeout_ms: f64,
    /// ms; a longer `Retry-After` is not waited for. Default 10,000: a person waits no longer.
    pub max_retry_after_ms: f64,
    /// Changes of side within one request. Default 1: a second failure elsewhere is not cured by a third attempt.
    pub max_handovers: u32,
    /// Restarts on the same side within one request. Default 2: once as it was, once with a smaller plan.
    pub max_recoveries: u32,
}

impl Default for RouteConfig {
    fn default() -> Self {
        Self {
            leave_ratio: 0.8,
            leave_count: 3,
            leave_window: 5,
            return_ratio: 1.2,
            return_after_ms: 30_000.0,
            return_max_ms: 600_000.0,
            breaker_failures: 3,
            breaker_window: 32,
            breaker_ratio: 0.5,
            breaker_open_ms: 30_000.0,
            breaker_max_ms: 600_000.0,
            history_requests: 16,
            cloud_ttft_quantile: 0.75,
            default_cloud_ttft_ms: 800.0,
            hedge_slo_ratio: 0.6,
            hedge_quantile: 0.95,
            hedge_share: 0.05,
            stall_ms: 5_000.0,
            stall_gap_ratio: 8.0,
            first_token_timeout_ms: 30_000.0,
            alive_timeout_ms: 600_000.0,
            max_retry_after_ms: 10_000.0,
            max_handovers: 1,
            max_recoveries: 2,
        }
    }
}

/// A constant that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value outside its range.
    #[error("{field} is {value}, but must lie between {low} and {high}")]
    OutOfRange {
        /// The constant's name.
        field: &'static str,
        /// What was given.
        value: f64,
        /// The smallest lawful value.
        low: f64,
        /// The largest lawful value.
        high: f64,
    },
}

/// Longest time that a constant may name, in ms: a day.
const DAY_MS: f64 = 86_400_000.0;
/// Outcomes are bits of one word.
const MAX_WINDOW: f64 = 64.0;
const MAX_HISTORY: f64 = 1_000.0;
const MAX_COUNT: f64 = 1_000.0;
const MAX_RATIO: f64 = 1_000.0;

impl RouteConfig {
    /// Checks all ranges.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] names the first constant that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let count = f64::from;
        let ranges = [
            ("leave_ratio", self.leave_ratio, 0.0, 1.0),
            ("leave_window", count(self.leave_window), 1.0, MAX_WINDOW),
            ("leave_count", count(self.leave_count), 1.0, count(self.leave_window)),
            ("return_ratio", self.return_ratio, 1.0, MAX_RATIO),
            ("return_after_ms", self.return_after_ms, 0.0, DAY_MS),
            ("return_max_ms", self.return_max_ms, self.return_after_ms, DAY_MS),
            ("breaker_failures", count(self.breaker_failures), 1.0, MAX_COUNT),
            ("breaker_window", count(self.breaker_window), 1.0, MAX_WINDOW),
            ("breaker_ratio", self.breaker_ratio, 0.0, 1.0),
            ("breaker_open_ms", self.breaker_open_ms, 0.0, DAY_MS),
            ("breaker_max_ms", self.breaker_max_ms, self.breaker_open_ms, DAY_MS),
            ("history_requests", count(self.history_requests), 1.0, MAX_HISTORY),
            ("cloud_ttft_quantile", self.cloud_ttft_quantile, 0.0, 1.0),
            ("default_cloud_ttft_ms", self.default_cloud_ttft_ms, 0.0, DAY_MS),
            ("hedge_slo_ratio", self.hedge_slo_ratio, 0.0, MAX_RATIO),
            ("hedge_quantile", self.hedge_quantile, 0.0, 1.0),
            ("hedge_share", self.hedge_share, 0.0, 1.0),
            ("stall_ms", self.stall_ms, 1.0, DAY_MS),
            ("stall_gap_ratio", self.stall_gap_ratio, 1.0, MAX_RATIO),
            ("first_token_timeout_ms", self.first_token_timeout_ms, 1.0, DAY_MS),
            ("alive_timeout_ms", self.alive_timeout_ms, 0.0, DAY_MS),
            ("max_retry_after_ms", self.max_retry_after_ms, 0.0, DAY_MS),
            ("max_handovers", count(self.max_handovers), 0.0, MAX_COUNT),
            ("max_recoveries", count(self.max_recoveries), 0.0, MAX_COUNT),
        ];
        for (field, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(ConfigError::OutOfRange { field, value, low, high });
            }
        }
        Ok(())
    }
}

/// `base` x 2^`failures`, at most `most`: how long to stay away.
pub(crate) fn backoff_ms(base: f64, failures: u32, most: f64) -> f64 {
    (base * 2_f64.powi(failures.min(30) as i32)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_lawful() {
        assert_eq!(RouteConfig::default().validate(), Ok(()));
    }

    #[test]
    fn nonsense_is_named() {
        for broken in [f64::NAN, -1.0, f64::INFINITY] {
            let error = RouteConfig { stall_ms: broken, ..RouteConfig::default() }.validate().expect_err("refused");
            assert!(error.to_string().starts_with("stall_ms is "), "{error}");
        }
        let too_many = RouteConfig { leave_count: 6, ..RouteConfig::default() };
        assert!(too_many.validate().is_err(), "6 of 5");
        let shrinks = RouteConfig { return_max_ms: 1.0, ..RouteConfig::default() };
        assert!(shrinks.validate().is_err(), "below the first dwell time");
    }

    #[test]
    fn json_may_leave_out_but_not_invent() {
        let some: RouteConfig = serde_json::from_str(r#"{"stall_ms": 900}"#).expect("one constant");
        assert_eq!(some, RouteConfig { stall_ms: 900.0, ..RouteConfig::default() });
        let error = serde_json::from_str::<RouteConfig>(r#"{"stal_ms": 900}"#).expect_err("a typo");
        assert!(error.to_string().contains("stal_ms"), "{error}");
    }

    #[test]
    fn time_away_doubles_up_to_its_limit() {
        let times: Vec<f64> = (0..6).map(|n| backoff_ms(30.0, n, 600.0)).collect();
        assert_eq!(times, [30.0, 60.0, 120.0, 240.0, 480.0, 600.0]);
        assert_eq!(backoff_ms(30.0, u32::MAX, 600.0), 600.0);
    }
}
