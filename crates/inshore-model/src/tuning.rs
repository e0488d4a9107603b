//! The tuning run: on a hardware GPU that nothing is remembered of, a few ways to compute products are timed on the model's
//! own first layer.

mod choice;
mod streams;

use std::collections::BTreeMap;

use burn::tensor::{DType, Tensor};
use inshore_ops::device::{GpuPlan, OpenDevice};
use inshore_ops::gated_mlp;
use web_time::Instant;

use self::choice::{Trial, choose};
pub use self::streams::tune_streams;
use crate::ModelError;
use crate::engine::values;
use crate::llama::Llama;

/// Launches of one measurement, with one token and with many.
const LAUNCHES: [usize; 2] = [8, 2];
/// Tokens of the second.
const PREFILL_TOKENS: usize = 64;
/// Measurements of a candidate.
const REPETITIONS: usize = 3;
/// No further candidate of a kind is tried after so many ms; most of them go to compiling its kernel.
const BUDGET_MS: f64 = 120.0;
/// How far results of two plans may be from each other, as a part of the largest: more than rounding, less than an error.
const TOLERANCE: f32 = 1e-3;

/// Plans by what they were measured on, as text: what a host keeps from one load to the next.
pub type KnownPlans = BTreeMap<String, String>;

/// Where the plan of a GPU's products comes from. A CPU has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PlanChoice {
    /// From what the adapter can do.
    #[default]
    RuleOfThumb,
    /// From what was measured before or else is measured now. An adapter emulated in software keeps to the rule of thumb.
    Tuned(KnownPlans),
    /// From what is measured now, on any adapter and for as long as it takes.
    TunedAnew,
    /// This one.
    Fixed(GpuPlan),
}

/// A plan that was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasuredPlan {
    /// Adapter, driver, graphics API, shapes and version of inshore.
    pub key: String,
    /// The fastest.
    pub plan: GpuPlan,
}

/// Chooses the plan of `device` for `model`, and tells if it was measured now.
///
/// # Errors
/// [`inshore_ops::device::DeviceError::PlanDoesNotFit`]. A candidate that fails is one that was not the fastest.
pub async fn tune_matmul(
    model: &Llama,
    device: &OpenDevice,
    choice: &PlanChoice,
) -> Result<Option<MeasuredPlan>, ModelError> {
    let (Some(gpu), Some(identity)) = (device.gpu_traits(), device.gpu_identity()) else { return Ok(None) };
    let rule = GpuPlan::rule_of_thumb(gpu);
    let Some(key) = key(identity, model) else { return Ok(None) };
    let (plan, measured) = match choice {
        PlanChoice::RuleOfThumb => (rule, false),
        PlanChoice::Fixed(plan) => (*plan, false),
        PlanChoice::Tuned(known) => match known.get(&key).and_then(|text| text.parse::<GpuPlan>().ok()) {
            Some(plan) if plan.fits(gpu) => (plan, false),
            _ if gpu.software => (rule, false),
            _ => (measure(model, device, rule, BUDGET_MS).await, true),
        },
        PlanChoice::TunedAnew => (measure(model, device, rule, f64::INFINITY).await, true),
    };
    device.use_plan(plan)?;
    Ok(measured.then_some(MeasuredPlan { key, plan }))
}

/// What decides how fast a plan is.
fn key(identity: &str, model: &Llama) -> Option<String> {
    let layer = model.layers.first()?;
    let [gate, up] = [&layer.gate_proj, &layer.up_proj].map(inshore_ops::PackedMatrix::layout);
    let version = env!("CARGO_PKG_VERSION");
    Some(format!("{identity} | {}x{} {}/{} | inshore {version}", gate.rows, gate.cols, gate.kind, up.kind))
}

/// The fastest plan: first with one token, then with many.
async fn measure(model: &Llama, device: &OpenDevice, rule: GpuPlan, budget_ms: f64) -> GpuPlan {
    let Some(gpu) = device.gpu_traits() else { return rule };
    let gemv = GpuPlan::gemv_candidates(gpu).into_iter().map(|gemv| GpuPlan { gemv, ..rule });
    let plan = fastest(&Rig::new(model, device, 1, LAUNCHES[0]), rule, gemv, budget_ms).await;
    let gemm = GpuPlan::gemm_candidates(gpu).into_iter().map(|gemm| GpuPlan { gemm, ..plan });
    fastest(&Rig::new(model, device, PREFILL_TOKENS, LAUNCHES[1]), plan, gemm, budget_ms).await
}

async fn fastest(
    rig: &Rig<'_>,
    incumbent: GpuPlan,
    candidates: impl Iterator<Item = GpuPlan>,
    budget_ms: f64,
) -> GpuPlan {
    let started = Instant::now();
    let Some((expected, times_ms)) = rig.trial(incumbent, None).await else { return incumbent };
    let mut trials = vec![Trial { plan: incumbent, times_ms }];
    for plan in candidates.filter(|&plan| plan != incumbent) {
        if started.elapsed().as_secs_f64() * 1e3 > budget_ms {
            break;
        }
        let times_ms = rig.trial(plan, Some(&expected)).await.map_or_else(Vec::new, |(_, times_ms)| times_ms);
        trials.push(Trial { plan, times_ms });
    }
    choose(incumbent, &trials)
}

/// The largest matrices of the first layer with something to multiply.
struct Rig<'a> {
    model: &'a Llama,
    device: &'a OpenDevice,
    x: Tensor<2>,
    launches: usize,
}

impl<'a> Rig<'a> {
    fn new(model: &'a Llama, device: &'a OpenDevice, tokens: usize, launches: usize) -> Self {
        let x = Tensor::ones([tokens, model.config.hidden_size], (&device.device, DType::F32));
        Self { model, device, x, launches }
    }

    /// Results and times, in ms, of the plan; `None` if it fails or does not give what is expected.
    async fn trial(&self, plan: GpuPlan, expected: Option<&[f32]>) -> Option<(Vec<f32>, Vec<f64>)> {
        self.device.use_plan(plan).ok()?;
        // Compiles.
        let results = self.run(1).await?;
        if expected.is_some_and(|expected| !are_close(&results, expected)) {
            return None;
        }
        let mut times_ms = Vec::with_capacity(REPETITIONS);
        for _ in 0..REPETITIONS {
            let started = Instant::now();
            self.run(self.launches).await?;
            times_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Some((results, times_ms))
    }

    async fn run(&self, launches: usize) -> Option<Vec<f32>> {
        let layer = self.model.layers.first()?;
        let launch = || {
            let epsilon = self.model.config.rms_norm_eps;
            gated_mlp(self.x.clone(), &layer.post_attention_layernorm, epsilon, &layer.gate_proj, &layer.up_proj)
        };
        for _ in 1..launches {
            drop(launch());
        }
        values(launch().into_data_async().await).ok()
    }
}

fn are_close(got: &[f32], expected: &[f32]) -> bool {
    let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() <= TOLERANCE * largest)
}
