//! A replay for people: when, which request, what happened, what was ordered and why.

use std::fmt::{self, Display, Formatter, Write};

use serde::Serialize;

use crate::event::RouteEvent;
use crate::order::{Order, Plan, Prediction};
use crate::trace::Step;

/// Shows a replay, one line an event and one an order. Tokens that lead to nothing are counted together; wakes
/// and signs of life that lead to nothing are not shown.
pub struct Timeline<'a>(pub &'a [Step]);

/// Tokens of one leg in a row.
struct Run {
    request: u64,
    leg: u64,
    tokens: u64,
    from_ms: f64,
    to_ms: f64,
}

impl Display for Timeline<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut run: Option<Run> = None;
        for step in self.0 {
            let orders: Vec<&Order> = step.orders.iter().filter(|order| is_shown(order)).collect();
            let quiet = orders.is_empty() && step.recorded.is_none();
            if let (RouteEvent::Tokens { request, leg, tokens, .. }, true) = (&step.event, quiet) {
                match &mut run {
                    Some(run) if (run.request, run.leg) == (*request, *leg) => {
                        run.tokens += u64::from(*tokens);
                        run.to_ms = step.now_ms;
                    }
                    _ => {
                        show_run(f, run.take())?;
                        let (tokens, now_ms) = (u64::from(*tokens), step.now_ms);
                        run = Some(Run { request: *request, leg: *leg, tokens, from_ms: now_ms, to_ms: now_ms });
                    }
                }
                continue;
            }
            show_run(f, run.take())?;
            if matches!(step.event, RouteEvent::Wake | RouteEvent::Alive { .. }) && quiet {
                continue;
            }
            line(f, step.now_ms, request_of(&step.event), &happened(&step.event))?;
            for order in orders {
                writeln!(f, "{:33}→ {}", "", ordered(order))?;
            }
            if let Some(recorded) = &step.recorded {
                let then: Vec<String> = recorded.iter().filter(|order| is_shown(order)).map(ordered).collect();
                let then = if then.is_empty() { "nothing, or another wake".to_owned() } else { then.join("; ") };
                writeln!(f, "{:33}! line {}: recorded was {then}", "", step.line)?;
            }
        }
        show_run(f, run)
    }
}

fn is_shown(order: &Order) -> bool {
    !matches!(order, Order::Wake { .. })
}

fn line(f: &mut Formatter<'_>, now_ms: f64, request: Option<u64>, what: &str) -> fmt::Result {
    let request = request.map_or(String::new(), |request| format!("request {request}"));
    writeln!(f, "{now_ms:>13.1} ms  {request:<13}  {what}")
}

fn show_run(f: &mut Formatter<'_>, run: Option<Run>) -> fmt::Result {
    let Some(Run { request, leg, tokens, from_ms, to_ms }) = run else { return Ok(()) };
    let mut what = format!("leg {leg}: {tokens} token{}", if tokens == 1 { "" } else { "s" });
    if to_ms > from_ms {
        write!(what, " until {to_ms:.1} ms")?;
    }
    line(f, from_ms, Some(request), &what)
}

fn request_of(event: &RouteEvent) -> Option<u64> {
    match event {
        RouteEvent::Begin { request, .. }
        | RouteEvent::Tokens { request, .. }
        | RouteEvent::Alive { request, .. }
        | RouteEvent::Failed { request, .. }
        | RouteEvent::Finished { request, .. }
        | RouteEvent::Cancelled { request } => Some(*request),
        _ => None,
    }
}

fn happened(event: &RouteEvent) -> String {
    match event {
        RouteEvent::Begin { spec, snapshot, .. } => {
            let mut text = format!("begin: {}, {:.0} prompt tokens", name(spec.mode), spec.prompt_tokens);
            text += &format!(", SLO {} ms and {} tok/s", spec.slo.ttft_ms, spec.slo.tokens_per_second);
            text += &format!("; local model {}", name(snapshot.local.availability));
            match &snapshot.cloud {
                Some(cloud) => text += &format!(", {} {}", name(cloud.source), cloud.key),
                None => text += ", no endpoint",
            }
            let conditions = [
                (spec.privacy == crate::Privacy::LocalOnly, "private"),
                (!snapshot.cloud_enabled, "cloud off"),
                (!snapshot.online, "offline"),
                (snapshot.hidden, "hidden"),
            ];
            for (_, condition) in conditions.iter().filter(|(holds, _)| *holds) {
                text += ", ";
                text += condition;
            }
            text
        }
        RouteEvent::Tokens { leg, tokens, .. } => format!("leg {leg}: {tokens} tokens"),
        RouteEvent::Alive { leg, .. } => format!("leg {leg}: alive, without a token"),
        RouteEvent::Failed { leg, kind, retry_after_ms, .. } => {
            let retry = retry_after_ms.map_or(String::new(), |ms| format!(", retry after {ms} ms"));
            format!("leg {leg} failed: {}{retry}", name(kind))
        }
        RouteEvent::Finished { leg, decode_tps, .. } => {
            let speed = decode_tps.map_or(String::new(), |tps| format!(" at {tps:.1} tok/s"));
            format!("leg {leg} finished{speed}")
        }
        RouteEvent::LoadEnded { key, kind: None } => format!("{key} is loaded"),
        RouteEvent::LoadEnded { key, kind: Some(kind) } => format!("loading of {key} failed: {}", name(kind)),
        RouteEvent::Cancelled { .. } => "cancelled".to_owned(),
        RouteEvent::Wake => "wake".to_owned(),
        RouteEvent::Visibility { hidden } => if *hidden { "page hidden" } else { "page shown" }.to_owned(),
        RouteEvent::Connectivity { online } => if *online { "online" } else { "offline" }.to_owned(),
        RouteEvent::CloudEnabled { enabled } => format!("cloud switched {}", if *enabled { "on" } else { "off" }),
        RouteEvent::Suspended { lost_ms } => format!("clock stood still for {lost_ms:.0} ms"),
    }
}

fn ordered(order: &Order) -> String {
    match order {
        Order::Start { leg, source, manner, plan, racing, reason, prediction, after_ms, .. } => {
            let mut text = format!("leg {leg} {}, {}: {}", name(source), name(manner), name(reason));
            if *plan != Plan::Same {
                text += &format!(", plan {}", name(plan));
            }
            if *racing {
                text += ", racing";
            }
            if *after_ms > 0.0 {
                text += &format!(", after {after_ms:.0} ms");
            }
            text + &predicted(prediction)
        }
        Order::Adopt { leg, reason, .. } => format!("adopt leg {leg}: {}", name(reason)),
        Order::Abort { leg, reason, .. } => format!("abort leg {leg}: {}", name(reason)),
        Order::Fail { reason, last, .. } => {
            format!("fail: {}{}", name(reason), last.map_or(String::new(), |kind| format!(" (last {})", name(kind))))
        }
        Order::Done { .. } => "done".to_owned(),
        Order::Wake { at_ms } => format!("wake at {at_ms:.1} ms"),
        Order::Load { key, reason } => format!("load {key} in the background: {}", name(reason)),
        Order::Breaker { key, state, until_ms } => {
            let until = until_ms.map_or(String::new(), |ms| format!(" until {ms:.1} ms"));
            format!("breaker of {key}: {}{until}", name(state))
        }
    }
}

fn predicted(prediction: &Prediction) -> String {
    let Prediction { ttft_local_ms, ttft_cloud_ms, local_tps } = prediction;
    let parts = [
        ttft_local_ms.map(|ms| format!("TTFT {ms:.0} ms here")),
        local_tps.map(|tps| format!("{tps:.1} tok/s here")),
        ttft_cloud_ms.map(|ms| format!("TTFT {ms:.0} ms there")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" (predicted {})", parts.join(", ")) }
}

/// The JSON name of a unit variant.
fn name(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Trace;
    use crate::trace::tests::recorded;

    #[test]
    fn a_timeline_tells_the_story() {
        let steps = Trace::parse(&recorded()).expect("readable").replay().expect("lawful");
        let told = Timeline(&steps).to_string();
        let lines: Vec<&str> = told.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "0.1 ms  request 1      begin: auto, 50 prompt tokens, SLO 2000 ms and 10 tok/s; local model available, in_cloud endpoint",
                "→ leg 1 on_device, fresh: meets_slo (predicted TTFT 300 ms here, 20.0 tok/s here, TTFT 800 ms there)",
                "300.3 ms  request 1      leg 1: 1 token",
                "350.7 ms  request 1      leg 1 failed: worker_crashed",
                "→ leg 2 on_device, token_ids: worker_crashed (predicted TTFT 305 ms here, 20.0 tok/s here, TTFT 800 ms there)",
                "900.1 ms  request 1      leg 2 finished at 19.1 tok/s",
                "→ done",
            ],
            "{told}"
        );
    }

    #[test]
    fn differences_are_marked() {
        let mut trace = Trace::parse(&recorded()).expect("readable");
        trace.set("max_recoveries=0").expect("a constant");
        let told = Timeline(&trace.replay().expect("lawful")).to_string();
        assert!(told.contains("→ leg 2 in_cloud, token_ids: worker_crashed"), "{told}");
        assert!(told.contains("! line 7: recorded was leg 2 on_device, token_ids: worker_crashed"), "{told}");
    }
}
