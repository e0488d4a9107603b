//! Decode speed as the context grows: it must fall no faster than the bytes that a token reads grow.

use anyhow::{Context, Result};
use serde::Serialize;

use super::contestant::Contestant;
use super::engine_page::EnginePage;
use super::golden::Prompt;
use super::measurement::Measurement;
use super::plan::Plan;
use super::runner::{self, Place, Task};
use super::statistics::Summary;
use super::table::{Table, digits};
use super::traffic::Traffic;
use crate::process;

const CONTEXTS: [usize; 5] = [256, 512, 1024, 2048, 4096];
/// Tokens whose speed is taken at each length, with their first.
const TOKENS: usize = 33;
/// Speed may fall this much faster than bytes grow before the promise counts as broken: what repeated runs scatter.
pub const TOLERANCE: f64 = 0.05;
/// Long contexts take their time.
const MOST_ROUNDS: usize = 3;

/// Decode at one length of the context.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// Id of the contestant.
    pub contestant: &'static str,
    /// Tokens in the context when the measured ones are done.
    pub context_tokens: usize,
    /// Decode speed in tokens per second. The best round counts: lengths are measured minutes apart, and what others
    /// compute meanwhile would bend the curve.
    pub decode_tps: Summary,
    /// Weights and cache that a token reads, in bytes.
    pub bytes_per_token: u64,
    /// Speed here as a share of that at the shortest context.
    pub speed_share: f64,
    /// Bytes at the shortest context as a share of those here: what the speed share may fall to.
    pub bytes_share: f64,
}

impl Point {
    /// The speed that is left over the speed that the bytes allow: 1 and more is as promised.
    pub fn margin(&self) -> f64 {
        self.speed_share / self.bytes_share
    }

    /// Whether the speed falls no faster than the bytes grow.
    fn holds(&self) -> bool {
        self.margin() >= 1.0 - TOLERANCE
    }
}

/// Whose curve can be measured. Software GPUs are left out, they would take hours, and of browsers all but one thread.
pub const CONTESTANTS: [&str; 4] = ["native-1", "native", "native-gpu", "simd-1"];
/// Chromium has relaxed SIMD: the build that the page takes there.
const PAGE_BUILD: &str = "inshore_cpu_relaxed";

/// Measures those of [`CONTESTANTS`] that are chosen.
pub fn measure(place: &Place, traffic: &Traffic, plan: &Plan) -> Result<Vec<Point>> {
    let rounds = plan.rounds.min(MOST_ROUNDS);
    let chosen: Vec<&Contestant> = plan
        .chosen
        .iter()
        .copied()
        .filter(|one| CONTESTANTS.contains(&one.id) && !one.is_emulated(place.hardware_gpu))
        .collect();
    let mut speeds = vec![vec![Vec::new(); CONTEXTS.len()]; chosen.len()];
    for round in 0..rounds {
        for (at, context) in CONTEXTS.iter().enumerate() {
            let prompt = long_prompt(&plan.prompts, context - (TOKENS - 1));
            for (who, contestant) in chosen.iter().enumerate() {
                let speed = speed(contestant, place, &prompt, context + 1);
                let text = match &speed {
                    Ok(speed) => format!("{} tok/s", digits(*speed)),
                    Err(error) => format!("{error:#}"),
                };
                process::note(&format!(
                    "curve {}/{rounds}  {:14} {context:5} tokens  {text}",
                    round + 1,
                    contestant.id
                ));
                speeds[who][at].extend(speed);
            }
        }
    }
    Ok(points(&chosen, &speeds, traffic))
}

/// Decode speed after `prompt`.
fn speed(contestant: &Contestant, place: &Place, prompt: &Prompt, context_tokens: usize) -> Result<f64> {
    if contestant.is_web() {
        // The demo page does not allocate so long a context; the engine alone does.
        let page = EnginePage {
            build: PAGE_BUILD,
            gpu: "none",
            model: &place.model,
            ids: &prompt.ids,
            tokens: TOKENS,
            context_tokens,
            browser: None,
            variables: &[],
        };
        let found = page.run(place)?;
        return Ok((found.generated_tokens - 1) as f64 * 1e3 / found.decode_ms);
    }
    let task = Task {
        contestant,
        weights: &place.model,
        prompts: std::slice::from_ref(prompt),
        warm_up: prompt,
        tokens: TOKENS,
        context_tokens,
    };
    let outcome = runner::run(place, &task);
    let speed = outcome.measurements.first().and_then(Measurement::decode_tps);
    speed.with_context(|| outcome.failure.unwrap_or_else(|| "ended at its first token".to_owned()))
}

fn points(chosen: &[&Contestant], speeds: &[Vec<Vec<f64>>], traffic: &Traffic) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for (contestant, speeds) in chosen.iter().zip(speeds) {
        let bytes =
            |context: usize| traffic.weight_bytes + traffic.kv_bytes(context as u64, contestant.kv_value_bytes());
        let mut first: Option<(f64, u64)> = None;
        for (context, speeds) in CONTEXTS.iter().zip(speeds) {
            let Some(decode_tps) = Summary::of(speeds.iter().copied()) else { continue };
            let bytes_per_token = bytes(context - TOKENS / 2);
            let (speed_256, bytes_256) = *first.get_or_insert((decode_tps.max, bytes_per_token));
            points.push(Point {
                contestant: contestant.id,
                context_tokens: *context,
                decode_tps,
                bytes_per_token,
                speed_share: decode_tps.max / speed_256,
                bytes_share: bytes_256 as f64 / bytes_per_token as f64,
            });
        }
    }
    points
}

/// The longest prompt, repeated up to `tokens`; its beginning and end, the template, stay where they are.
fn long_prompt(prompts: &[Prompt], tokens: usize) -> Prompt {
    let longest = prompts.iter().max_by_key(|prompt| prompt.ids.len());
    let ids = longest.map(|prompt| prompt.ids.as_slice()).unwrap_or_default();
    let tail = &ids[ids.len().saturating_sub(8)..];
    let mut repeated: Vec<u32> = ids.iter().copied().cycle().take(tokens.saturating_sub(tail.len())).collect();
    repeated.extend(tail);
    Prompt { name: format!("context-{tokens}"), ids: repeated, text: String::new(), greedy: None }
}

/// As a table.
pub fn table(points: &[Point]) -> Table {
    let mut table = Table::new(
        ["contestant", "context", "best tok/s", "MB/token", "speed vs 256", "bytes allow", "falls no faster"],
        1,
    );
    for point in points {
        table.row([
            point.contestant.to_owned(),
            point.context_tokens.to_string(),
            digits(point.decode_tps.max),
            digits(point.bytes_per_token as f64 / 1e6),
            format!("{:.0} %", point.speed_share * 100.0),
            format!("{:.0} %", point.bytes_share * 100.0),
            if point.holds() { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contestant;

    #[test]
    fn prompts_are_as_long_as_asked_and_end_as_they_did() {
        let prompts = [Prompt { name: "p".to_owned(), ids: (0..50).collect(), text: String::new(), greedy: None }];
        for tokens in [20, 50, 333] {
            let prompt = long_prompt(&prompts, tokens);
            assert_eq!(prompt.ids.len(), tokens);
            assert_eq!(prompt.ids.last(), Some(&49));
            assert_eq!(prompt.ids[0], 0);
        }
    }

    #[test]
    fn speed_is_put_beside_bytes() {
        let traffic = Traffic { weight_bytes: 1000, weights: 1000, kv_values_per_token: 1 };
        let chosen = [contestant::find("native-1").expect("known")];
        // At 4096 tokens the bytes are ten times those at 256.
        let speeds = [vec![vec![100.0], Vec::new(), vec![90.0], vec![45.0], vec![10.0]]];
        let points = points(&chosen, &speeds, &traffic);
        assert_eq!(points.iter().map(|point| point.context_tokens).collect::<Vec<_>>(), [256, 1024, 2048, 4096]);
        let last = &points[3];
        assert!((last.speed_share - 0.1).abs() < 1e-9);
        assert_eq!(last.holds(), last.speed_share >= last.bytes_share * 0.95);
        assert_eq!(table(&points).text().lines().count(), 5);
    }
}
