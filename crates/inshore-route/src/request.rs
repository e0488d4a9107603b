//! One request while it runs: its legs, what it has used, and when something is due.

use crate::config::RouteConfig;
use crate::event::{CloudSnapshot, LocalSnapshot, RequestSpec, Source};
use crate::order::Plan;
use crate::predict::{CLOCK_MS, time};
use crate::samples::Samples;

/// Gaps that a leg remembers for its median.
const GAPS: usize = 32;
/// With fewer gaps than this the median says little, and the predicted gap counts too.
const FEW_GAPS: usize = 4;
/// A peer that sends keep-alives counts as silent when two in a row are missing.
const ALIVE_GAPS: f64 = 2.0;

/// One attempt at an answer.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub(crate) number: u64,
    pub(crate) source: Source,
    pub(crate) plan: Plan,
    /// Not adopted yet.
    pub(crate) racing: bool,
    /// From the prompt alone, so that its TTFT is one.
    pub(crate) fresh: bool,
    /// The trial of a half-open breaker.
    pub(crate) breaker_trial: bool,
    /// The trial of the hysteresis.
    pub(crate) speed_trial: bool,
    /// After the wait, if there is one.
    pub(crate) started_ms: f64,
    /// Time to the first token that is still patience.
    pub(crate) first_token_limit_ms: f64,
    /// A gap that the prediction foresees.
    pub(crate) foreseen_gap_ms: f64,
    first_ms: Option<f64>,
    last_ms: f64,
    /// The latest sign of life without a token, since the last token.
    alive_ms: Option<f64>,
    /// Longest time between two signs of life without a token: a peer with a keep-alive every 15 s is not silent after 5 s.
    alive_gap_ms: f64,
    tokens: f64,
    first_tokens: f64,
    gaps: Samples,
    /// The page was hidden or asleep: its speeds say nothing about the device.
    pub(crate) disturbed: bool,
}

/// What a new leg is.
pub(crate) struct LegStart {
    pub(crate) source: Source,
    pub(crate) plan: Plan,
    pub(crate) racing: bool,
    pub(crate) fresh: bool,
    pub(crate) started_ms: f64,
    pub(crate) first_token_limit_ms: f64,
    pub(crate) foreseen_gap_ms: f64,
}

impl Leg {
    fn new(number: u64, start: LegStart) -> Self {
        let LegStart { source, plan, racing, fresh, started_ms, first_token_limit_ms, foreseen_gap_ms } = start;
        Self {
            number,
            source,
            plan,
            racing,
            fresh,
            breaker_trial: false,
            speed_trial: false,
            started_ms,
            first_token_limit_ms,
            foreseen_gap_ms,
            first_ms: None,
            last_ms: started_ms,
            alive_ms: None,
            alive_gap_ms: 0.0,
            tokens: 0.0,
            first_tokens: 0.0,
            gaps: Samples::new(GAPS),
            disturbed: false,
        }
    }

    /// Tokens arrived. Returns the TTFT if they were the first.
    pub(crate) fn tokens_arrived(&mut self, now_ms: f64, tokens: u32) -> Option<f64> {
        self.tokens += f64::from(tokens);
        let first = self.first_ms.is_none();
        if first {
            self.first_ms = Some(now_ms);
            self.first_tokens = f64::from(tokens);
        } else {
            self.gaps.push(now_ms - self.last_ms);
        }
        self.last_ms = now_ms;
        self.alive_ms = None;
        first.then(|| (now_ms - self.started_ms).max(0.0))
    }

    /// The leg makes progress without a token of the answer.
    pub(crate) fn alive(&mut self, now_ms: f64) {
        if let Some(before_ms) = self.alive_ms {
            self.alive_gap_ms = self.alive_gap_ms.max(now_ms - before_ms);
        }
        self.alive_ms = Some(now_ms);
    }

    /// Decode speed after the first report, if enough came.
    pub(crate) fn decode_tps(&self) -> Option<f64> {
        let (tokens, elapsed_ms) = (self.tokens - self.first_tokens, self.last_ms - self.first_ms?);
        (self.gaps.len() >= FEW_GAPS && elapsed_ms > 0.0).then(|| 1_000.0 * tokens / elapsed_ms)
    }

    /// When its silence becomes a stall.
    pub(crate) fn stall_ms(&self, config: &RouteConfig) -> f64 {
        let token_ms = if self.first_ms.is_none() { self.started_ms } else { self.last_ms };
        let limit_ms = self.silence_limit_ms(config);
        let alive_ms = self.alive_ms.unwrap_or(token_ms).max(token_ms);
        // Without a sign of life since the last token, this is `token_ms + limit_ms`.
        (alive_ms + limit_ms).min(token_ms + limit_ms + config.alive_timeout_ms)
    }

    /// How long the leg may show no sign of life.
    fn silence_limit_ms(&self, config: &RouteConfig) -> f64 {
        if self.first_ms.is_none() {
            return self.first_token_limit_ms;
        }
        let median = self.gaps.median().unwrap_or(0.0);
        let gap = if self.gaps.len() < FEW_GAPS { median.max(self.foreseen_gap_ms) } else { median };
        let beat_ms = (ALIVE_GAPS * self.alive_gap_ms).min(config.first_token_timeout_ms);
        config.stall_ms.max(config.stall_gap_ratio * gap).max(beat_ms)
    }

    /// Time passed that does not count: all moments move on, none into the future.
    fn skip(&mut self, lost_ms: f64, now_ms: f64) {
        let moved = |moment: f64| if moment > now_ms { moment } else { (moment + lost_ms).min(now_ms) };
        self.started_ms = moved(self.started_ms);
        self.last_ms = moved(self.last_ms);
        self.first_ms = self.first_ms.map(moved);
        self.alive_ms = self.alive_ms.map(moved);
        self.disturbed = true;
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) spec: RequestSpec,
    pub(crate) local: LocalSnapshot,
    pub(crate) cloud: Option<CloudSnapshot>,
    deadline_ms: Option<f64>,
    pub(crate) legs: Vec<Leg>,
    started_legs: u64,
    /// Tokens of the answer so far, and whether all are held as ids.
    pub(crate) answer_tokens: f64,
    pub(crate) ids_known: bool,
    /// Of the cloud's budget.
    pub(crate) spent_tokens: f64,
    pub(crate) handovers: u32,
    pub(crate) recoveries: u32,
    /// The endpoint runs another model.
    pub(crate) other_model: bool,
    /// Both sides were possible, so the conversation sticks to this one.
    pub(crate) sticks: bool,
    /// Its one attempt at a hedge is over.
    pub(crate) hedge_over: bool,
    pub(crate) ended: bool,
}

impl Request {
    pub(crate) fn new(
        id: u64,
        spec: RequestSpec,
        local: LocalSnapshot,
        cloud: Option<CloudSnapshot>,
        now_ms: f64,
    ) -> Self {
        let deadline_ms = spec.deadline_ms.filter(|limit| !limit.is_nan()).map(|limit| now_ms + time(limit));
        let hedge_over = !spec.hedge;
        Self {
            id,
            spec,
            local,
            cloud,
            deadline_ms,
            legs: Vec::new(),
            started_legs: 0,
            answer_tokens: 0.0,
            ids_known: true,
            spent_tokens: 0.0,
            handovers: 0,
            recoveries: 0,
            other_model: false,
            sticks: false,
            hedge_over,
            ended: false,
        }
    }

    pub(crate) fn add_leg(&mut self, start: LegStart) -> &mut Leg {
        self.started_legs += 1;
        self.legs.push(Leg::new(self.started_legs, start));
        let last = self.legs.len() - 1;
        &mut self.legs[last]
    }

    pub(crate) fn leg(&self, number: u64) -> Option<usize> {
        self.legs.iter().position(|leg| leg.number == number)
    }

    pub(crate) fn is_past_deadline(&self, now_ms: f64) -> bool {
        self.deadline_ms.is_some_and(|deadline| now_ms >= deadline)
    }

    /// Whether something that takes this long still fits the deadline.
    pub(crate) fn has_time(&self, now_ms: f64, needed_ms: f64) -> bool {
        self.deadline_ms.is_none_or(|deadline| now_ms + needed_ms < deadline)
    }

    /// The one leg that a second one might race: on the device, alone, without a token of the answer. What goes on with
    /// an answer is not raced: two continuations of one text cannot both be shown.
    pub(crate) fn slow_starter(&self) -> Option<&Leg> {
        match self.legs.as_slice() {
            [leg] if leg.source.is_device() && self.answer_tokens <= 0.0 && !self.hedge_over => Some(leg),
            _ => None,
        }
    }

    /// The next time at which the policy wants to look again. `patience_ms`: until a hedge. Hidden pages have no stalls.
    pub(crate) fn due_ms(&self, hidden: bool, patience_ms: f64, config: &RouteConfig) -> Option<f64> {
        let stalls = self.legs.iter().map(|leg| leg.stall_ms(config));
        let hedge = self.slow_starter().map(|leg| leg.started_ms + patience_ms);
        let watched = stalls.chain(hedge).filter(|_| !hidden);
        watched.chain(self.deadline_ms).min_by(f64::total_cmp)
    }

    /// Time passed in which nothing could be seen. A suspended clock moves the deadline too.
    pub(crate) fn skip(&mut self, lost_ms: f64, now_ms: f64) {
        for leg in &mut self.legs {
            leg.skip(lost_ms, now_ms);
        }
    }

    pub(crate) fn extend_deadline(&mut self, lost_ms: f64) {
        self.deadline_ms = self.deadline_ms.map(|deadline| (deadline + lost_ms).min(CLOCK_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg() -> Leg {
        let start = LegStart {
            source: Source::OnDevice,
            plan: Plan::Same,
            racing: false,
            fresh: true,
            started_ms: 0.0,
            first_token_limit_ms: 30_000.0,
            foreseen_gap_ms: 2_000.0,
        };
        Leg::new(1, start)
    }

    #[test]
    fn silence_is_measured_against_what_is_usual() {
        let config = RouteConfig::default();
        let mut leg = leg();
        assert_eq!(leg.stall_ms(&config), 30_000.0, "no token yet");
        assert_eq!(leg.tokens_arrived(1_000.0, 1), Some(1_000.0));
        assert_eq!(leg.stall_ms(&config), 1_000.0 + 16_000.0, "only the prediction is known");
        for step in 1..=4 {
            assert_eq!(leg.tokens_arrived(1_000.0 + 100.0 * f64::from(step), 1), None);
        }
        assert_eq!(leg.stall_ms(&config), 1_400.0 + 5_000.0, "8 x 100 ms is less than stall_ms");
        for step in 1..=40 {
            leg.tokens_arrived(1_400.0 + 1_000.0 * f64::from(step), 1);
        }
        assert_eq!(leg.stall_ms(&config), 41_400.0 + 8_000.0, "a slow device is slow, not stalled");
    }

    #[test]
    fn signs_of_life_restart_patience_but_not_for_ever() {
        let config = RouteConfig::default();
        let mut thinking = leg();
        for second in 1..=600 {
            thinking.alive(1_000.0 * f64::from(second));
        }
        assert_eq!(thinking.stall_ms(&config), 630_000.0, "30 s after the last sign of life");
        thinking.alive(650_000.0);
        assert_eq!(thinking.stall_ms(&config), 630_000.0, "10 minutes on top of the first 30 s, and no more");
        assert_eq!(thinking.tokens_arrived(620_000.0, 1), Some(620_000.0), "thinking belongs to the TTFT");
    }

    #[test]
    fn signs_of_life_are_no_tokens() {
        let config = RouteConfig::default();
        let mut leg = leg();
        for step in 1..=5 {
            leg.tokens_arrived(100.0 * f64::from(step), 1);
        }
        leg.alive(3_000.0);
        assert_eq!(leg.stall_ms(&config), 8_000.0);
        leg.alive(2_000.0);
        assert_eq!(leg.decode_tps(), Some(10.0), "speed counts tokens");
        leg.tokens_arrived(8_000.0, 1);
        assert_eq!(leg.stall_ms(&config), 13_000.0, "patience starts again at a token");
    }

    #[test]
    fn a_peer_with_keep_alives_every_12_s_is_not_silent_after_5() {
        let config = RouteConfig::default();
        let mut leg = leg();
        leg.alive(2_000.0);
        leg.alive(14_000.0);
        for step in 0..5 {
            leg.tokens_arrived(20_000.0 + 100.0 * f64::from(step), 1);
        }
        assert_eq!(leg.stall_ms(&config), 20_400.0 + 24_000.0);
        leg.alive(14_000.0 + 90_000.0);
        leg.alive(14_000.0 + 190_000.0);
        assert_eq!(
            leg.stall_ms(&config),
            204_000.0 + 30_000.0,
            "rare keep-alives allow the first token's time at most"
        );
    }

    #[test]
    fn speed_counts_tokens_after_the_first_report() {
        let mut leg = leg();
        leg.tokens_arrived(1_000.0, 3);
        assert_eq!(leg.decode_tps(), None);
        for step in 1..=4 {
            leg.tokens_arrived(1_000.0 + 100.0 * f64::from(step), 2);
        }
        assert_eq!(leg.decode_tps(), Some(20.0));
    }

    #[test]
    fn lost_time_moves_every_moment_but_none_into_the_future() {
        let config = RouteConfig::default();
        let mut leg = leg();
        leg.tokens_arrived(1_000.0, 1);
        leg.skip(60_000.0, 61_500.0);
        assert_eq!(leg.stall_ms(&config), 61_000.0 + 16_000.0);
        leg.skip(f64::MAX, 62_000.0);
        assert_eq!(leg.stall_ms(&config), 62_000.0 + 16_000.0);
        leg.alive(62_000.0);
        leg.skip(10_000.0, 72_000.0);
        assert_eq!(leg.stall_ms(&config), 72_000.0 + 16_000.0);
    }
}
