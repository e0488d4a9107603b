//! An executor with a simulated clock that does exactly what it is told, and asserts that it can.

use std::collections::BTreeMap;

use inshore_route::{Manner, Order, RouteEvent, Router};

use crate::traces::{Disturbance, LegEnd, LegScript, Script};

/// A leg that only pings does so this often, for an hour.
const PING_MS: f64 = 20_000.0;
const PINGS: u32 = 180;

/// What came out.
pub struct Outcome {
    pub history: Vec<(RouteEvent, Vec<Order>)>,
    /// How often each request ended.
    pub ends: BTreeMap<u64, u32>,
    /// Second legs that were started.
    pub hedges: u64,
    /// Requests that have not ended.
    pub running: usize,
}

/// Something that will happen.
struct Due {
    at_ms: f64,
    event: RouteEvent,
    /// The leg that says it; silent once the leg is gone.
    leg: Option<(u64, u64)>,
}

/// A request as the executor sees it.
#[derive(Default)]
struct Live {
    legs: Vec<u64>,
    adopted: Option<u64>,
    tokens: u32,
    /// The adopted leg has finished.
    complete: bool,
}

pub struct Executor<'a> {
    script: &'a Script,
    router: Router,
    now_ms: f64,
    due: Vec<Due>,
    live: BTreeMap<u64, Live>,
    started_legs: usize,
    started_loads: usize,
    /// A model is being loaded in the background.
    loading: bool,
    hidden: bool,
    outcome: Outcome,
}

impl<'a> Executor<'a> {
    /// Runs until nothing more is due.
    pub fn run(script: &'a Script) -> Outcome {
        let router = Router::new(script.config).expect("lawful constants");
        let outcome = Outcome { history: Vec::new(), ends: BTreeMap::new(), hedges: 0, running: 0 };
        let (due, live) = (Vec::new(), BTreeMap::new());
        let mut this = Self {
            script,
            router,
            now_ms: 0.0,
            due,
            live,
            started_legs: 0,
            started_loads: 0,
            loading: false,
            hidden: false,
            outcome,
        };
        this.plan();
        while this.step() {}
        if this.hidden {
            // Nobody keeps a page hidden for ever; until then its silent legs may wait.
            this.tell(RouteEvent::Visibility { hidden: false });
            while this.step() {}
        }
        this.outcome.running = this.router.running().count();
        this.outcome
    }

    fn plan(&mut self) {
        for (request, (spec, (at_ms, snapshot))) in self.script.requests.iter().zip(&self.script.snapshots).enumerate()
        {
            let (request, spec, snapshot) = (request as u64, spec.clone(), snapshot.clone());
            self.due.push(Due { at_ms: *at_ms, event: RouteEvent::Begin { request, spec, snapshot }, leg: None });
        }
        for (at_ms, disturbance) in &self.script.disturbances {
            let event = match *disturbance {
                Disturbance::Cancel(request) => RouteEvent::Cancelled { request: request as u64 },
                Disturbance::Cloud(enabled) => RouteEvent::CloudEnabled { enabled },
                Disturbance::Online(online) => RouteEvent::Connectivity { online },
                Disturbance::Hidden(hidden) => RouteEvent::Visibility { hidden },
                Disturbance::Suspended(lost_ms) => RouteEvent::Suspended { lost_ms },
                Disturbance::Wake => RouteEvent::Wake,
            };
            self.due.push(Due { at_ms: *at_ms, event, leg: None });
        }
    }

    /// Lets the next thing happen.
    fn step(&mut self) -> bool {
        let next = (0..self.due.len()).min_by(|a, b| self.due[*a].at_ms.total_cmp(&self.due[*b].at_ms));
        let Some(Due { at_ms, event, leg }) = next.map(|index| self.due.remove(index)) else { return false };
        self.now_ms = self.now_ms.max(at_ms);
        if let Some((request, leg)) = leg {
            let Some(live) = self.live.get_mut(&request).filter(|live| live.legs.contains(&leg)) else { return true };
            match &event {
                RouteEvent::Tokens { tokens, .. } => live.tokens += tokens,
                RouteEvent::Finished { .. } => {
                    live.legs.retain(|other| *other != leg);
                    live.complete = true;
                }
                RouteEvent::Alive { .. } => {}
                _ => live.legs.retain(|other| *other != leg),
            }
        }
        self.tell(event);
        assert!(self.outcome.history.len() < 20_000, "it never ends");
        true
    }

    fn tell(&mut self, event: RouteEvent) {
        match &event {
            RouteEvent::Begin { snapshot, .. } => self.hidden = snapshot.hidden,
            RouteEvent::Visibility { hidden } => self.hidden = *hidden,
            RouteEvent::LoadEnded { .. } => self.loading = false,
            _ => {}
        }
        let orders = self.router.push(self.now_ms, event.clone());
        for order in &orders {
            self.obey(order);
        }
        self.outcome.history.push((event, orders));
    }

    fn obey(&mut self, order: &Order) {
        match *order {
            Order::Start { request, leg, manner, racing, handover, after_ms, .. } => {
                let live = self.live.entry(request).or_default();
                assert!(!live.complete, "an answer that is complete needs no leg");
                assert!(racing || live.legs.is_empty(), "two legs without a race");
                assert_eq!(manner == Manner::Fresh, !handover, "hand-overs and recoveries are those with tokens");
                if !racing {
                    live.adopted = Some(leg);
                }
                live.legs.push(leg);
                self.outcome.hedges += u64::from(racing);
                self.play(request, leg, after_ms);
            }
            Order::Adopt { request, leg, .. } => {
                let live = self.live.get_mut(&request).expect("a request that runs");
                assert!(live.complete || live.legs.contains(&leg), "adopted legs run");
                assert_ne!(live.adopted, Some(leg), "adopted once");
                live.adopted = Some(leg);
            }
            Order::Abort { request, leg, .. } => {
                let live = self.live.get_mut(&request).expect("a request that runs");
                let before = live.legs.len();
                live.legs.retain(|other| *other != leg);
                assert_eq!(live.legs.len() + 1, before, "aborted legs run");
            }
            Order::Fail { request, .. } => {
                let live = self.live.remove(&request).unwrap_or_default();
                assert!(live.legs.is_empty() && !live.complete, "nothing runs on, and nothing complete fails");
                *self.outcome.ends.entry(request).or_default() += 1;
            }
            Order::Done { request } => {
                let live = self.live.remove(&request).expect("a request that runs");
                assert!(live.legs.is_empty() && live.complete, "done is what has finished");
                *self.outcome.ends.entry(request).or_default() += 1;
            }
            Order::Wake { at_ms } => {
                assert!(at_ms > self.now_ms, "a wake in the past would never end");
                self.due.push(Due { at_ms, event: RouteEvent::Wake, leg: None });
            }
            Order::Load { ref key, .. } => {
                assert!(!self.loading, "one load at a time");
                self.loading = true;
                let (wait_ms, kind) = self.script.loads[self.started_loads % self.script.loads.len()];
                self.started_loads += 1;
                let event = RouteEvent::LoadEnded { key: key.clone(), kind };
                self.due.push(Due { at_ms: self.now_ms + wait_ms, event, leg: None });
            }
            Order::Breaker { .. } => {}
        }
    }

    /// Everything that the leg will say, if nobody ends it before.
    fn play(&mut self, request: u64, leg: u64, after_ms: f64) {
        let script = &self.script.legs[self.started_legs % self.script.legs.len()];
        self.started_legs += 1;
        let LegScript { first_ms, gap_ms, tokens, ids, beats, ref end } = *script;
        let mut at_ms = self.now_ms + after_ms + first_ms;
        let mut say = |at_ms: f64, event: RouteEvent| self.due.push(Due { at_ms, event, leg: Some((request, leg)) });
        for beat in 1..=beats {
            let share = f64::from(beat) / f64::from(beats + 1);
            say(self.now_ms + after_ms + first_ms * share, RouteEvent::Alive { request, leg });
        }
        for _ in 0..tokens {
            say(at_ms, RouteEvent::Tokens { request, leg, tokens: 1, ids });
            at_ms += gap_ms;
        }
        match *end {
            LegEnd::Finishes => {
                let decode_tps = Some(1_000.0 / gap_ms);
                say(at_ms, RouteEvent::Finished { request, leg, prefill_tps: Some(100.0), decode_tps });
            }
            LegEnd::Fails(kind, retry_after_ms) => {
                say(at_ms, RouteEvent::Failed { request, leg, kind, retry_after_ms })
            }
            // Its connection is kept alive for an hour: the policy has to end that before.
            LegEnd::Pings => {
                for beat in 0..PINGS {
                    say(at_ms + PING_MS * f64::from(beat), RouteEvent::Alive { request, leg });
                }
            }
            LegEnd::Stalls => {}
        }
    }
}
