//! Step 5: the hedge's budget.

use crate::config::RouteConfig;
use crate::predict::time;

/// Counts requests and second legs exactly.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HedgeBudget {
    requests: u64,
    hedges: u64,
}

impl HedgeBudget {
    pub(crate) fn count_request(&mut self) {
        self.requests += 1;
    }

    /// Takes one second leg out of the budget, if one more keeps the share.
    pub(crate) fn take(&mut self, config: &RouteConfig) -> bool {
        let fits = (self.hedges + 1) as f64 <= config.hedge_share * self.requests as f64;
        self.hedges += u64::from(fits);
        fits
    }
}

/// Time after the start of a leg at which a second one may race it.
pub(crate) fn patience_ms(ttft_quantile_ms: Option<f64>, slo_ttft_ms: f64, config: &RouteConfig) -> f64 {
    time(config.hedge_slo_ratio * slo_ttft_ms).max(ttft_quantile_ms.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_twenty_counted_exactly() {
        let config = RouteConfig::default();
        let mut budget = HedgeBudget::default();
        let mut taken = 0_u64;
        for request in 1..=1_000_u64 {
            budget.count_request();
            taken += u64::from(budget.take(&config));
            assert!(taken * 20 <= request, "{taken} of {request}");
        }
        assert_eq!(taken, 50);
    }

    #[test]
    fn patience_is_the_longer_of_both() {
        let config = RouteConfig::default();
        assert_eq!(patience_ms(None, 1_000.0, &config), 600.0);
        assert_eq!(patience_ms(Some(900.0), 1_000.0, &config), 900.0);
        assert_eq!(patience_ms(None, f64::NAN, &config), 0.0);
    }
}
