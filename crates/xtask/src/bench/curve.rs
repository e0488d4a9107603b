//! Decode speed as the context grows: it must fall no faster than the bytes that a token reads grow.

use anyhow::{Context, Result};
use serde::Serialize;

use super::contestant::Contestant;
use super::engine_page::EnginePage;
use super::golden::Prompt;
use super::measurement::Measurement;
use super::plan::Plan;
use super::runner::{self, Place, Task};
use super::statistics::{Summary, ratio};
use super::table::{Table, digits};
use super::traffic::Traffic;
use crate::process;

/// From long to short: what comes next has its prompt in the cache already.
const CONTEXTS: [usize; 5] = [4096, 2048, 1024, 512, 256];
/// Tokens whose speed is taken at each length, with their first.
const TOKENS: usize = 33;
/// How often a round goes through all lengths; of each the best counts, so that a moment in which others compute does not bend the curve.
const PASSES: usize = 3;
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
    /// Decode speed in tokens per second.
    pub decode_tps: Summary,
    /// Weights and cache that a token reads, in bytes.
    pub bytes_per_token: u64,
    /// Speed here as a share of that at the shortest context: the median of the rounds' shares.
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
    let prompts = CONTEXTS.map(|context| long_prompt(&plan.prompts, context - (TOKENS - 1)));
    let chosen = plan.chosen.iter().copied();
    let chosen: Vec<&Contestant> =
        chosen.filter(|one| CONTESTANTS.contains(&one.id) && !one.is_emulated(place.hardware_gpu)).collect();
    let mut speeds = vec![vec![Speeds::default(); rounds]; chosen.len()];
    for round in 0..rounds {
        for (who, contestant) in chosen.iter().enumerate() {
            let found =
                if contestant.is_web() { in_page(place, &prompts) } else { natively(contestant, place, &prompts) };
            let text = match &found {
                Ok(speeds) => speeds.map(|speed| speed.map_or_else(|| "-".to_owned(), digits)).join(", "),
                Err(error) => format!("{error:#}"),
            };
            process::note(&format!(
                "curve {}/{rounds}  {:10} {CONTEXTS:?} tokens: {text} tok/s",
                round + 1,
                contestant.id
            ));
            speeds[who][round] = found.unwrap_or_default();
        }
    }
    Ok(points(&chosen, &speeds, traffic))
}

/// Tokens per second at each of [`CONTEXTS`], in one round.
type Speeds = [Option<f64>; CONTEXTS.len()];

fn note_best(speeds: &mut Speeds, at: usize, speed: f64) {
    speeds[at] = Some(speeds[at].map_or(speed, |best| best.max(speed)));
}

/// All in one page, by one engine: how quick a page is differs from one to the next. It is the engine alone, as the demo page does not
/// allocate so long a context.
fn in_page(place: &Place, prompts: &[Prompt]) -> Result<Speeds> {
    let page = EnginePage {
        build: PAGE_BUILD,
        gpu: "none",
        model: &place.model,
        prompts: &prompts.iter().map(|prompt| prompt.ids.as_slice()).collect::<Vec<_>>().repeat(PASSES),
        tokens: TOKENS,
        context_tokens: CONTEXTS[0] + 1,
        browser: None,
        variables: &[],
    };
    let mut speeds = Speeds::default();
    for (found, at) in page.run(place)?.iter().zip((0..prompts.len()).cycle()) {
        note_best(&mut speeds, at, (found.generated_tokens - 1) as f64 * 1e3 / found.decode_ms);
    }
    Ok(speeds)
}

fn natively(contestant: &Contestant, place: &Place, prompts: &[Prompt]) -> Result<Speeds> {
    let mut speeds = Speeds::default();
    for _ in 0..PASSES {
        for (at, prompt) in prompts.iter().enumerate() {
            let task = Task {
                contestant,
                weights: &place.model,
                prompts: std::slice::from_ref(prompt),
                warm_up: prompt,
                tokens: TOKENS,
                context_tokens: CONTEXTS[0] + 1,
            };
            let outcome = runner::run(place, &task);
            let speed = outcome.measurements.first().and_then(Measurement::decode_tps);
            let why = || outcome.failure.unwrap_or_else(|| "ended at its first token".to_owned());
            note_best(&mut speeds, at, speed.with_context(why)?);
        }
    }
    Ok(speeds)
}

/// `speeds`: of each contestant those of its rounds.
fn points(chosen: &[&Contestant], speeds: &[Vec<Speeds>], traffic: &Traffic) -> Vec<Point> {
    let mut points = Vec::new();
    for (contestant, rounds) in chosen.iter().zip(speeds) {
        let bytes = |context: usize| {
            traffic.weight_bytes + traffic.kv_bytes((context - TOKENS / 2) as u64, contestant.kv_value_bytes())
        };
        let at = |at: usize| rounds.iter().map(|speeds| speeds[at]).collect::<Vec<_>>();
        let shortest = CONTEXTS.len() - 1;
        for (context, &context_tokens) in CONTEXTS.iter().enumerate().rev() {
            let Some(decode_tps) = Summary::of(at(context).into_iter().flatten()) else { continue };
            let Some(share) = ratio(&at(context), &at(shortest)) else { continue };
            let bytes_per_token = bytes(context_tokens);
            points.push(Point {
                contestant: contestant.id,
                context_tokens,
                decode_tps,
                bytes_per_token,
                speed_share: share.median,
                bytes_share: bytes(CONTEXTS[shortest]) as f64 / bytes_per_token as f64,
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
        ["contestant", "context", "tok/s (best)", "MB/token", "speed vs 256", "bytes allow", "falls no faster"],
        1,
    );
    for point in points {
        table.row([
            point.contestant.to_owned(),
            point.context_tokens.to_string(),
            format!("{} ({})", digits(point.decode_tps.median), digits(point.decode_tps.max)),
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
        // At 4096 tokens the bytes are ten times those at 256. What slows a round down as a whole changes nothing.
        let round = |speed: f64| [Some(0.1 * speed), Some(0.45 * speed), Some(0.9 * speed), None, Some(speed)];
        let points = points(&chosen, &[vec![round(100.0), round(50.0), round(80.0)]], &traffic);
        assert_eq!(points.iter().map(|point| point.context_tokens).collect::<Vec<_>>(), [256, 1024, 2048, 4096]);
        let last = &points[3];
        assert!((last.speed_share - 0.1).abs() < 1e-9);
        assert_eq!(last.holds(), last.speed_share >= last.bytes_share * 0.95);
        assert_eq!(table(&points).text().lines().count(), 5);
    }
}
