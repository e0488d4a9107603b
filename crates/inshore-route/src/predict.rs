//! Step 3: what to expect of the device and of the endpoint.

use crate::config::RouteConfig;
use crate::event::{Estimate, LocalSnapshot};
use crate::order::Prediction;
use crate::samples::Samples;

/// What was measured of one local engine.
#[derive(Debug, Clone)]
pub(crate) struct LocalHistory {
    prefill_tps: Samples,
    decode_tps: Samples,
    /// Without loading, for the hedge.
    ttft_ms: Samples,
    /// The longest load that was foreseen; a restart has to load again.
    load_ms: f64,
}

impl LocalHistory {
    pub(crate) fn new(config: &RouteConfig) -> Self {
        let samples = || Samples::new(config.history_requests as usize);
        Self { prefill_tps: samples(), decode_tps: samples(), ttft_ms: samples(), load_ms: 0.0 }
    }

    /// Speeds of an answer that has ended.
    pub(crate) fn record_speeds(&mut self, prefill_tps: Option<f64>, decode_tps: Option<f64>) {
        if let Some(speed) = prefill_tps.and_then(speed) {
            self.prefill_tps.push(speed);
        }
        if let Some(speed) = decode_tps.and_then(speed) {
            self.decode_tps.push(speed);
        }
    }

    pub(crate) fn record_ttft(&mut self, ttft_ms: f64) {
        self.ttft_ms.push(ttft_ms.max(0.0));
    }

    /// Notes how long loading takes and returns the longest.
    pub(crate) fn note_load(&mut self, load_ms: f64) -> f64 {
        self.load_ms = self.load_ms.max(time(load_ms));
        self.load_ms
    }

    /// Old speeds are void: the device was away and has just shown what it does now.
    pub(crate) fn forget_speeds(&mut self) {
        self.prefill_tps.clear();
        self.decode_tps.clear();
    }

    pub(crate) fn ttft_quantile(&self, share: f64) -> Option<f64> {
        self.ttft_ms.quantile(share)
    }
}

/// What is expected of the local engine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Forecast {
    /// Loading, queue and computation.
    pub(crate) ttft_ms: Option<f64>,
    /// Computation alone: what the device's speed is to blame for.
    pub(crate) compute_ms: Option<f64>,
    pub(crate) decode_tps: Option<f64>,
    /// Whether the decode speed was measured here, rather than estimated.
    pub(crate) is_measured: bool,
}

impl Forecast {
    /// `ttft_local = load + queue + prompt_tokens / prefill_tps + 1 / decode_tps`, from history before the estimate.
    pub(crate) fn new(local: &LocalSnapshot, history: &LocalHistory, prompt_tokens: f64) -> Self {
        let measured = history.decode_tps.median();
        let Estimate { prefill_tps, decode_tps } =
            local.estimate.unwrap_or(Estimate { prefill_tps: f64::NAN, decode_tps: f64::NAN });
        let prefill_tps = history.prefill_tps.median().or_else(|| speed(prefill_tps));
        let decode_tps = measured.or_else(|| speed(decode_tps));
        let compute_ms = prefill_tps
            .zip(decode_tps)
            .map(|(prefill, decode)| time(1_000.0 * (time(prompt_tokens) / prefill + 1.0 / decode)));
        Self {
            ttft_ms: compute_ms.map(|compute| time(local.load_ms) + time(local.queue_ms) + compute),
            compute_ms,
            decode_tps,
            is_measured: measured.is_some(),
        }
    }

    /// As an order tells it.
    pub(crate) fn told(&self, ttft_cloud_ms: Option<f64>) -> Prediction {
        Prediction { ttft_local_ms: self.ttft_ms, ttft_cloud_ms, local_tps: self.decode_tps }
    }
}

/// A usable speed, or nothing.
pub(crate) fn speed(tps: f64) -> Option<f64> {
    (tps.is_finite() && tps > 0.0).then_some(tps)
}

/// Longest time that is believed, in ms: ten years. Sums of a few of these stay far below [`CLOCK_MS`].
const MOST_MS: f64 = 3e11;
/// Latest time that a clock may show, in ms: a fraction of one is still exact.
pub(crate) const CLOCK_MS: f64 = 1e15;

/// A usable time or count: what is not a number or is negative counts as 0.
#[expect(clippy::manual_clamp, reason = "`max` drops NaN, `clamp` keeps it")]
pub(crate) fn time(ms: f64) -> f64 {
    ms.max(0.0).min(MOST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::local;

    fn history() -> LocalHistory {
        LocalHistory::new(&RouteConfig::default())
    }

    #[test]
    fn ttft_is_load_queue_prefill_and_one_step() {
        let estimate = Some(Estimate { prefill_tps: 200.0, decode_tps: 20.0 });
        let local = LocalSnapshot { load_ms: 1_000.0, queue_ms: 300.0, estimate, ..local() };
        let forecast = Forecast::new(&local, &history(), 100.0);
        assert_eq!(forecast.ttft_ms, Some(1_000.0 + 300.0 + 500.0 + 50.0));
        assert_eq!((forecast.compute_ms, forecast.decode_tps, forecast.is_measured), (Some(550.0), Some(20.0), false));
    }

    #[test]
    fn history_comes_before_the_estimate() {
        let mut history = history();
        for decode in [9.0, 10.0, 1_000.0] {
            history.record_speeds(Some(100.0), Some(decode));
        }
        history.record_speeds(Some(f64::NAN), Some(-3.0));
        let forecast = Forecast::new(&local(), &history, 10.0);
        assert_eq!((forecast.decode_tps, forecast.is_measured), (Some(10.0), true));
        assert_eq!(forecast.compute_ms, Some(100.0 + 100.0));
    }

    #[test]
    fn without_speeds_nothing_is_predicted() {
        for estimate in [None, Some(Estimate { prefill_tps: f64::NAN, decode_tps: 0.0 })] {
            let forecast = Forecast::new(&LocalSnapshot { estimate, ..local() }, &history(), 10.0);
            assert_eq!(forecast, Forecast::default());
        }
        assert_eq!((time(f64::NAN), time(-1.0), time(f64::INFINITY)), (0.0, 0.0, MOST_MS));
    }
}
