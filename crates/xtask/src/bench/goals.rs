//! The ratios that inshore promises, each computed within the run.

use serde::Serialize;

use super::curve::{self, Point};
use super::overhead::{self, Overhead};
use super::report::Run;
use super::statistics::{Summary, best_of, ratio};
use super::table::{Table, digits};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Tokens per second after the first.
    Decode,
    /// Prompt tokens per second.
    Prefill,
    /// Peak memory of the largest process; less is better.
    Memory,
}

/// One promise.
struct Goal {
    quantity: Quantity,
    ours: &'static str,
    /// The best of these counts, in each round.
    against: &'static [&'static str],
    prompt: &'static str,
    /// What must be reached; of memory: what must not be exceeded.
    bound: f64,
    /// What we would like.
    aim: f64,
}

const fn goal(
    quantity: Quantity,
    (ours, prompt): (&'static str, &'static str),
    against: &'static [&'static str],
    (bound, aim): (f64, f64),
) -> Goal {
    Goal { quantity, ours, against, prompt, bound, aim }
}

/// transformers.js's int8 is missing on purpose: it is quick and says the wrong tokens.
const WEB_PEERS: &[&str] = &["tjs-fp32-1", "wllama-1", "wllama-q8-1"];
const WLLAMA: &[&str] = &["wllama-1", "wllama-q8-1"];

const GOALS: [Goal; 19] = [
    goal(Quantity::Decode, ("simd-1", "p64"), WEB_PEERS, (1.5, 2.5)),
    goal(Quantity::Decode, ("simd-1", "p512"), WEB_PEERS, (1.5, 2.5)),
    goal(Quantity::Decode, ("simd-1", "p64"), WLLAMA, (3.0, 3.0)),
    goal(Quantity::Memory, ("simd-1", "p64"), &["tjs-fp32-1"], (0.2, 0.2)),
    goal(Quantity::Prefill, ("simd-1", "p64"), WEB_PEERS, (1.0, 2.0)),
    goal(Quantity::Prefill, ("simd-1", "p512"), WEB_PEERS, (1.0, 2.0)),
    goal(Quantity::Decode, ("simd-1", "p64"), &["llamacpp-1"], (0.6, 0.9)),
    goal(Quantity::Decode, ("simd", "p64"), &["simd-1"], (1.0, 1.0)),
    goal(Quantity::Prefill, ("simd", "p512"), &["simd-1"], (1.6, 1.6)),
    goal(Quantity::Decode, ("native-1", "p64"), &["llamacpp-1"], (0.8, 1.0)),
    goal(Quantity::Prefill, ("native-1", "p64"), &["llamacpp-1"], (0.6, 1.0)),
    goal(Quantity::Prefill, ("native-1", "p512"), &["llamacpp-1"], (0.6, 1.0)),
    goal(Quantity::Decode, ("native", "p64"), &["llamacpp"], (0.8, 1.0)),
    goal(Quantity::Prefill, ("native", "p64"), &["llamacpp"], (0.6, 1.0)),
    goal(Quantity::Prefill, ("native", "p512"), &["llamacpp"], (0.6, 1.0)),
    goal(Quantity::Decode, ("native-gpu", "p64"), &["llamacpp-gpu"], (2.0, 2.0)),
    goal(Quantity::Prefill, ("native-gpu", "p64"), &["llamacpp-gpu"], (2.0, 2.0)),
    goal(Quantity::Decode, ("webgpu", "raw"), &["tjs-gpu"], (10.0, 10.0)),
    goal(Quantity::Decode, ("webgpu-lvp", "p64"), &["wllama-gpu-lvp", "tjs-gpu-lvp"], (3.0, 3.0)),
];

/// A promise and what the run says of it.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// What is compared.
    pub quantity: Quantity,
    /// The contestant of ours.
    pub ours: &'static str,
    /// The best of these.
    pub against: &'static [&'static str],
    /// On which prompt.
    pub prompt: &'static str,
    /// At least (of memory: at most).
    pub bound: f64,
    /// What we would like.
    pub aim: f64,
    /// Ours divided by theirs, round by round; nothing where either is missing.
    pub ratio: Option<Summary>,
}

impl Verdict {
    /// Whether the median keeps the promise.
    pub fn is_met(&self) -> Option<bool> {
        let median = self.ratio?.median;
        Some(if self.quantity == Quantity::Memory { median <= self.bound } else { median >= self.bound })
    }
}

/// All promises, against the runs.
pub fn judge(runs: &[Run], rounds: usize) -> Vec<Verdict> {
    let series = |id: &str, goal: &Goal| -> Vec<Option<f64>> {
        let in_round = |round: usize| {
            let is_it =
                |run: &&Run| run.contestant == id && run.round == round && run.measurement.prompt == goal.prompt;
            runs.iter().find(is_it).and_then(|run| value(run, goal.quantity))
        };
        (0..rounds).map(in_round).collect()
    };
    GOALS
        .iter()
        .map(|goal| {
            let theirs: Vec<_> = goal.against.iter().map(|id| series(id, goal)).collect();
            let Goal { quantity, ours, against, prompt, bound, aim } = *goal;
            Verdict {
                quantity,
                ours,
                against,
                prompt,
                bound,
                aim,
                ratio: ratio(&series(ours, goal), &best_of(&theirs)),
            }
        })
        .collect()
}

/// A promise that is not a ratio of two contestants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was promised.
    pub promise: String,
    /// What was measured.
    pub value: f64,
    /// What must be reached, or not be exceeded.
    pub bound: f64,
    /// Whether less is better.
    pub at_most: bool,
    /// What we would like.
    pub aim: f64,
}

impl Figure {
    /// Whether the promise is kept.
    pub fn is_met(&self) -> bool {
        if self.at_most { self.value <= self.bound } else { self.value >= self.bound }
    }
}

/// Most microseconds to launch a kernel, by place, and what we would like.
const LAUNCH_US: [(&str, f64, f64); 2] = [(overhead::NATIVE, 40.0, 10.0), (overhead::CHROMIUM, 30.0, 10.0)];

/// What the curve and the overheads say of their promises.
pub fn judge_figures(curve: &[Point], overheads: &[Overhead]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (place, bound, aim) in LAUNCH_US {
        if let Some(found) = overheads.iter().find(|one| one.place == place) {
            let promise = format!("us to launch a kernel, {place}");
            figures.push(Figure { promise, value: found.launch_us, bound, at_most: true, aim });
        }
    }
    for contestant in curve::CONTESTANTS {
        // The first point is what the others are put beside.
        let points = curve.iter().filter(|point| point.contestant == contestant).skip(1);
        if let Some(value) = points.map(Point::margin).reduce(f64::min) {
            let promise = format!("speed over what the bytes allow, 256 to 4096 tokens, {contestant}");
            figures.push(Figure { promise, value, bound: 1.0 - curve::TOLERANCE, at_most: false, aim: 1.0 });
        }
    }
    figures
}

/// As a table.
pub fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new(["promise", "measured", "bound", "aim", "kept"], 1);
    for figure in figures {
        table.row([
            figure.promise.clone(),
            digits(figure.value),
            format!("{} {}", if figure.at_most { "<=" } else { ">=" }, figure.bound),
            figure.aim.to_string(),
            if figure.is_met() { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}

fn value(run: &Run, quantity: Quantity) -> Option<f64> {
    match quantity {
        // A peer that silently computes elsewhere than asked is no opponent there.
        _ if run.elsewhere => None,
        Quantity::Decode => run.measurement.decode_tps(),
        Quantity::Prefill => Some(run.measurement.prefill_tps()),
        Quantity::Memory => run.measurement.peak_memory_bytes.map(|bytes| bytes as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contestant::find;
    use crate::bench::measurement::tests::sample;
    use crate::bench::quiet::Disturbance;

    fn run(contestant: &'static str, round: usize, decode_ms: f64) -> Run {
        let measurement = sample("p64", 100.0, decode_ms);
        Run { contestant, round, measurement, agreement: None, disturbance: Disturbance::default(), elsewhere: false }
    }

    #[test]
    fn goals_name_contestants_that_exist() {
        for goal in &GOALS {
            assert!(find(goal.ours).is_some_and(|one| one.is_ours()), "{}", goal.ours);
            assert!(goal.against.iter().all(|id| find(id).is_some()), "{:?}", goal.against);
        }
    }

    #[test]
    fn ours_is_put_beside_the_best_of_each_round() {
        let runs = [
            run("simd-1", 0, 100.0),
            run("wllama-1", 0, 400.0),
            run("wllama-q8-1", 0, 300.0),
            run("simd-1", 1, 200.0),
            run("wllama-1", 1, 400.0),
        ];
        let verdicts = judge(&runs, 2);
        let of = |against: &[&str]| verdicts.iter().find(|verdict| verdict.against == against).expect("a goal");
        let found = of(WLLAMA).ratio.expect("two rounds");
        assert!((found.max - 3.0).abs() < 1e-9 && (found.min - 2.0).abs() < 1e-9, "{found:?}");
        assert_eq!(of(WLLAMA).is_met(), Some(false));
        assert_eq!(of(&["llamacpp-gpu"]).is_met(), None, "nobody measured it");
    }

    #[test]
    fn figures_have_a_bound_on_either_side() {
        let one = |place, launch_us| Overhead { place, launch_us, step_us: 100.0 };
        let figures = judge_figures(&[], &[one(overhead::CHROMIUM, 31.0), one(overhead::NATIVE, 39.0)]);
        assert_eq!(figures.iter().map(Figure::is_met).collect::<Vec<_>>(), [true, false]);
        let least = Figure { at_most: false, bound: 0.95, ..figures[0].clone() };
        assert!(least.is_met() && !Figure { value: 0.9, ..least }.is_met());
        assert!(table(&figures).text().contains("NO"));
        assert!(judge_figures(&[], &[]).is_empty());
    }

    #[test]
    fn of_memory_less_is_better() {
        let mut heavy = run("tjs-fp32-1", 0, 100.0);
        heavy.measurement.peak_memory_bytes = Some(2000 << 20);
        let verdicts = judge(&[run("simd-1", 0, 100.0), heavy], 1);
        let memory = verdicts.iter().find(|verdict| verdict.quantity == Quantity::Memory).expect("a goal");
        assert_eq!(memory.is_met(), Some(true));
    }
}
