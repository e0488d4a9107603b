//! The few operations Burn lacks for running a quantised decoder, as one Burn backend extension.
//!
//! [`DecoderOps`](extension::DecoderOps) is implemented for CubeCL (GPU kernels: WebGPU, Vulkan, Metal, DX12) and for
//! `burn-flex` (CPU: native SIMD and WASM SIMD). Weights stay packed in both; see [`PackedLayout`].
//! The functions of this crate take and return ordinary Burn tensors and are all a model needs:
//!
//! | function | paper | shapes |
//! |---|---|---|
//! | [`embed`] | token embedding | ids `[tokens]` → `[tokens, hidden]` |
//! | [`qkv_rope`] | RMSNorm, Q, K and V projections, RoPE, append to the KV cache | `[tokens, hidden]` → q `[tokens, heads, head_dim]` |
//! | [`attention`] | causal grouped-query attention over the cache | q → `[tokens, heads * head_dim]` |
//! | [`linear_add`] | projection plus residual | `[tokens, in]` → `[tokens, out]` |
//! | [`gated_mlp`] | RMSNorm, SiLU(gate) * up | `[tokens, hidden]` → `[tokens, intermediate]` |
//! | [`logits`] | final RMSNorm and output projection of the last position | `[tokens, hidden]` → `[vocab]` |
//! | [`all_logits`] | the same of all positions | `[tokens, hidden]` → `[tokens, vocab]` |
//! | [`sample`] | penalties, top-k, top-p, min-p, temperature, draw | `[vocab]` → packed result |

pub mod device;
mod error;
pub mod extension;
mod kv_format;
mod packed;
mod recording;
mod tensors;

pub mod attention;
pub mod embed;
pub mod linear;
pub mod sample;

#[cfg(test)]
mod backends;
#[cfg(feature = "gpu")]
mod cube;
mod flex;

pub use error::OpsError;
pub use extension::{AttentionShape, QkvShape};
pub use flex::PANEL_POSITIONS;
#[cfg(target_family = "wasm")]
pub use flex::{Team, use_team};
pub use kv_format::KvFormat;
pub use packed::{PackedLayout, WeightStreams};
pub use recording::{CapturedGraph, PendingReadback, WarmUp, rewrite, sample_into};
pub use sample::{SampleParams, Sampled};
pub use tensors::{
    Heads, KvLayer, PackedMatrix, Position, QkvInputs, QkvWeights, all_logits, attention, embed, gated_mlp, linear_add,
    logits, qkv_rope, sample,
};
