use inshore_model::ModelShape;
use wasm_bindgen::prelude::*;

use crate::engine::{EngineDevice, kv_format, plain_object};
use crate::error::{invalid_argument, to_js};

#[wasm_bindgen]
extern "C" {
    /// `ModelShape` as a plain object.
    #[wasm_bindgen(typescript_type = "ModelShape")]
    pub type ShapeObject;

    /// `Probe` as a plain object.
    #[wasm_bindgen(typescript_type = "Probe")]
    pub type ProbeObject;
}

#[wasm_bindgen(typescript_custom_section)]
const PROBE: &str = r"
/** Sizes of a model, read from the first bytes of its file. */
export interface ModelShape {
  layers: number; hidden: number; intermediate: number; heads: number; kvHeads: number; headDim: number;
  vocab: number; trainContextTokens: number; quantisation: string;
}
/** What a device is predicted to do with a model of a shape. */
export interface Probe {
  prefillTps: number; decodeTps: number; fixedMs: number; weightBytesPerS: number; memoryBytes: number; probeMs: number;
}
";

/// The shape of the model whose file begins with `prefix`.
#[wasm_bindgen(js_name = modelShape)]
pub fn model_shape(prefix: &[u8]) -> Result<ShapeObject, JsValue> {
    let shape = ModelShape::from_prefix(prefix).map_err(|error| to_js(&error))?;
    Ok(plain_object(&shape)?.unchecked_into())
}

/// Predicts what `device` does with a model of `shape`, from a few milliseconds on synthetic weights; `kv_cache`: `f16` (where
/// nothing is said), `f32` or `q8_0`.
#[wasm_bindgen]
pub async fn probe(
    device: &EngineDevice,
    shape: ShapeObject,
    context_tokens: usize,
    kv_cache: Option<String>,
) -> Result<ProbeObject, JsValue> {
    let kv_format = kv_cache.as_deref().map(kv_format).transpose()?.unwrap_or_default();
    let shape: ModelShape = serde_wasm_bindgen::from_value(shape.into())
        .map_err(|error| invalid_argument(&format!("the shape is not understood: {error}")))?;
    let report =
        inshore_model::probe(&device.0, &shape, context_tokens, kv_format).await.map_err(|error| to_js(&error))?;
    Ok(plain_object(&report)?.unchecked_into())
}
