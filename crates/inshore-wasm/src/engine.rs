use inshore_model::{
    DeviceChoice, KnownPlans, KvFormat, LoadOptions, LoadProgress, MeasuredPlan, ModelError, NoPlan, OpenDevice,
    PlanChoice, StepOutcome,
};
use js_sys::Function;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use crate::error::{invalid_argument, to_js};
use crate::request::{EngineRequest, from_js, local_time};
use crate::source::ByteSource;

/// A device, opened once per worker.
#[wasm_bindgen]
pub struct EngineDevice(pub(crate) OpenDevice);

#[wasm_bindgen]
impl EngineDevice {
    /// Opens `"gpu"` (WebGPU), `"cpu"` (WASM SIMD) or `"auto"`: the GPU if there is an adapter, else the CPU. `automatic` means that the
    /// page chose the device, so an unsupported option falls back, with a note in `ModelInfo`, instead of failing.
    pub async fn open(choice: String, automatic: Option<bool>) -> Result<EngineDevice, JsValue> {
        let choice = match choice.as_str() {
            "auto" => DeviceChoice::Auto,
            "gpu" => DeviceChoice::Gpu,
            "cpu" => DeviceChoice::Cpu,
            other => return Err(invalid_argument(&format!("device '{other}' is none of auto, gpu and cpu"))),
        };
        let mut device = OpenDevice::open(choice).await.map_err(|error| to_js(&ModelError::from(error)))?;
        device.is_automatic = automatic.unwrap_or(device.is_automatic);
        Ok(Self(device))
    }

    /// `wgpu` or `flex`.
    #[wasm_bindgen(getter)]
    pub fn backend(&self) -> String {
        self.0.backend.name().to_owned()
    }

    /// What the driver calls the device.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.0.name.clone()
    }

    /// Largest single buffer in bytes, where the device has a limit.
    #[wasm_bindgen(getter, js_name = maxTensorBytes)]
    pub fn max_tensor_bytes(&self) -> Option<f64> {
        self.0.max_tensor_bytes.map(|bytes| bytes as f64)
    }
}

#[wasm_bindgen]
extern "C" {
    /// How a model is loaded.
    #[wasm_bindgen(
        typescript_type = "{ contextTokens?: number; exact?: boolean; kvCache?: 'f16' | 'f32' | 'q8_0'; plan?: PlanChoice; prefillTokens?: number }"
    )]
    pub type LoadArgument;

    /// `MeasuredPlan` as a plain object.
    #[wasm_bindgen(typescript_type = "MeasuredPlan | undefined")]
    pub type MeasuredPlanObject;

    /// `ModelInfo` as a plain object.
    #[wasm_bindgen(typescript_type = "ModelInfo")]
    pub type InfoObject;

    /// `Step` or `PrefillStep` as a plain object.
    #[wasm_bindgen(typescript_type = "Step | PrefillStep | undefined")]
    pub type StepObject;

    /// `Timings` as a plain object.
    #[wasm_bindgen(typescript_type = "Timings")]
    pub type TimingsObject;
}

#[wasm_bindgen(typescript_custom_section)]
const RESULTS: &str = r"
/** What a loaded model is. */
export interface ModelInfo {
  name: string; architecture: string; parameters: number; quantisation: string; layers: number; hidden: number;
  heads: number; kvHeads: number; vocab: number; trainContextTokens: number; contextTokens: number;
  weightBytes: number; kvBytes: number; kvFormat: 'f16' | 'f32' | 'q8_0'; backend: 'wgpu' | 'flex'; device: string; gpuPlan?: string;
  unknownKeys: string[]; notes: string[]; loadMs: number;
}
/** Where the plan of a GPU's products comes from: what the adapter can do, or what was measured before or else is measured now
 *  (`tuned`: plans by what they were measured on; not on an emulated adapter), or what is measured now, or a given one. */
export type PlanChoice = 'ruleOfThumb' | 'tunedAnew' | { tuned: Record<string, string> } | { fixed: string };
/** What was measured on what. */
export interface MeasuredPlan { key: string; plan: string }
/** One generated token; `text` is empty while a code point or a possible stop text is incomplete. */
export interface Step { id: number; text: string; logprob: number; top: [number, number][] }
/** A step that ran a part of the prompt and drew no token. */
export interface PrefillStep { prefill: { doneTokens: number; totalTokens: number } }
/** Speed of an answer. */
export interface Timings {
  ttftMs: number; prefillTps: number; decodeTps: number; promptTokens: number; cachedTokens: number;
  completionTokens: number;
}
";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoadFields {
    context_tokens: Option<usize>,
    exact: Option<bool>,
    kv_cache: Option<String>,
    plan: Option<PlanField>,
    prefill_tokens: Option<usize>,
}

/// A step that ran a part of the prompt.
#[derive(Serialize)]
struct PrefillFields {
    prefill: Progress,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    done_tokens: usize,
    total_tokens: usize,
}

/// [`MeasuredPlan`], the plan as it is written.
#[derive(Serialize)]
struct MeasuredFields<'a> {
    key: &'a str,
    plan: String,
}

/// [`PlanChoice`], plans as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum PlanField {
    RuleOfThumb,
    TunedAnew,
    Tuned(KnownPlans),
    Fixed(String),
}

impl PlanField {
    fn choice(self) -> Result<PlanChoice, JsValue> {
        Ok(match self {
            Self::RuleOfThumb => PlanChoice::RuleOfThumb,
            Self::TunedAnew => PlanChoice::TunedAnew,
            Self::Tuned(known) => PlanChoice::Tuned(known),
            Self::Fixed(text) => {
                PlanChoice::Fixed(text.parse().map_err(|error: NoPlan| invalid_argument(&error.to_string()))?)
            }
        })
    }
}

/// A loaded model. It answers one request at a time.
#[wasm_bindgen]
pub struct Engine(inshore_model::Engine);

#[wasm_bindgen]
impl Engine {
    /// Streams a model from `source` onto `device`. `on_progress(doneBytes, totalBytes)` is called for every piece.
    pub async fn load(
        device: &EngineDevice,
        source: ByteSource,
        options: LoadArgument,
        on_progress: Function,
    ) -> Result<Engine, JsValue> {
        let fields: LoadFields = serde_wasm_bindgen::from_value(options.into())
            .map_err(|error| invalid_argument(&format!("the load options are not understood: {error}")))?;
        let progress = |at: LoadProgress| {
            // A callback that throws does not stop the load.
            let _ = on_progress.call2(
                &JsValue::NULL,
                &JsValue::from_f64(at.done_bytes as f64),
                &JsValue::from_f64(at.total_bytes as f64),
            );
        };
        let exact = fields.exact.unwrap_or(false);
        let kv_format = fields.kv_cache.as_deref().map(kv_format).transpose()?;
        let plan = fields.plan.map(PlanField::choice).transpose()?.unwrap_or_default();
        let LoadFields { context_tokens, prefill_tokens, .. } = fields;
        let clock = Some(local_time as fn() -> _);
        let options =
            LoadOptions { context_tokens, exact, kv_format, plan, prefill_tokens, clock, ..LoadOptions::default() };
        let engine =
            inshore_model::Engine::load(&source, device.0.clone(), options, progress).await.map_err(|e| to_js(&e))?;
        Ok(Self(engine))
    }

    /// What was loaded, and onto what.
    pub fn info(&self) -> Result<InfoObject, JsValue> {
        Ok(plain_object(self.0.info())?.unchecked_into())
    }

    /// How the GPU computes products, if that was measured in this load: worth being remembered.
    #[wasm_bindgen(js_name = measuredPlan)]
    pub fn measured_plan(&self) -> Result<MeasuredPlanObject, JsValue> {
        let Some(MeasuredPlan { key, plan }) = self.0.measured_plan() else {
            return Ok(JsValue::UNDEFINED.unchecked_into());
        };
        Ok(plain_object(&MeasuredFields { key, plan: plan.to_string() })?.unchecked_into())
    }

    /// The bytes that a token stands for: perhaps a part of a code point.
    #[wasm_bindgen(js_name = tokenBytes)]
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        self.0.tokenizer().token_bytes(id).unwrap_or_default()
    }

    /// Prepares an answer; nothing is computed yet.
    pub fn start(&mut self, request: EngineRequest) -> Result<Generation, JsValue> {
        let request = from_js(request)?;
        self.0.start(request).map(Generation).map_err(|error| to_js(&error))
    }

    /// Runs the next step of the answer: a part of the prompt, or a token. Returns `undefined` when the answer has ended. Between two
    /// calls the generation can be cancelled.
    pub async fn step(&mut self, generation: &mut Generation) -> Result<StepObject, JsValue> {
        match self.0.step(&mut generation.0).await.map_err(|error| to_js(&error))? {
            StepOutcome::Prefill { done_tokens, total_tokens } => {
                Ok(plain_object(&PrefillFields { prefill: Progress { done_tokens, total_tokens } })?.unchecked_into())
            }
            StepOutcome::Token(step) => Ok(plain_object(&step)?.unchecked_into()),
            StepOutcome::Done => Ok(JsValue::UNDEFINED.unchecked_into()),
        }
    }

    /// Whether the model must be loaded again before the engine can answer.
    #[wasm_bindgen(js_name = isBroken)]
    pub fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}

/// An answer in the making. Between two steps, not during one, it can be read and cancelled.
#[wasm_bindgen]
pub struct Generation(inshore_model::Generation);

#[wasm_bindgen]
impl Generation {
    /// The next step gives `undefined`.
    pub fn cancel(&mut self) {
        self.0.cancel();
    }

    /// Tokens of the prompt.
    #[wasm_bindgen(js_name = promptIds)]
    pub fn prompt_ids(&self) -> Vec<u32> {
        self.0.prompt_ids().to_vec()
    }

    /// Tokens of the answer so far.
    pub fn ids(&self) -> Vec<u32> {
        self.0.ids().to_vec()
    }

    /// Text of the answer so far.
    pub fn text(&self) -> String {
        self.0.text().to_owned()
    }

    /// `stop`, `length`, `cancelled`, or `undefined` while it goes on.
    #[wasm_bindgen(js_name = finishReason)]
    pub fn finish_reason(&self) -> Option<String> {
        self.0.finish_reason().map(|reason| reason.as_str().to_owned())
    }

    /// Speed so far.
    pub fn timings(&self) -> Result<TimingsObject, JsValue> {
        Ok(plain_object(&self.0.timings())?.unchecked_into())
    }
}

pub(crate) fn kv_format(name: &str) -> Result<KvFormat, JsValue> {
    KvFormat::from_name(name)
        .ok_or_else(|| invalid_argument(&format!("the KV cache '{name}' is none of f16, f32 and q8_0")))
}

pub(crate) fn plain_object(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|error| invalid_argument(&error.to_string()))
}
