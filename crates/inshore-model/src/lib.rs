//! Small language models from GGUF files, written once on Burn tensors for every device.
//!
//! [`Engine`] holds a model with its tokenizer, chat template and KV cache and generates one answer at a time:
//!
//! ```
//! use inshore_model::{Engine, LoadOptions, OpenDevice, Prompt, Request, testing};
//!
//! # pollster::block_on(async {
//! let file = testing::tiny_llama(7); // or `inshore_gguf::FileSource`, HTTP ranges, OPFS: any `ReadAt`
//! let mut engine = Engine::load(&file, OpenDevice::cpu(), LoadOptions::default(), |_| {}).await?;
//! let mut generation = engine.start(Request { max_tokens: Some(8), ..Request::new(Prompt::Raw("hello".into())) })?;
//! while let Some(step) = engine.next_token(&mut generation).await? {
//!     print!("{}", step.text);
//! }
//! # Ok::<(), inshore_model::ModelError>(())
//! # }).unwrap();
//! ```

mod cache;
mod config;
mod decode_graph;
mod engine;
mod error;
mod file;
mod generation;
mod info;
mod kv_cache_pool;
mod llama;
mod lookahead;
mod probe;
mod request;
mod rope;
mod score;
mod shape;
mod stop;
mod synthetic;
#[cfg(feature = "testing")]
pub mod testing;
mod tuning;
mod weights;

pub use cache::KvCache;
pub use config::{Architecture, Config, RopePairs};
pub use engine::{Engine, LoadOptions, LoadProgress};
pub use error::ModelError;
pub use file::{FileCheck, KeyUse, use_of_key};
pub use generation::{CancelHandle, FinishReason, Generation, Step, StepOutcome, Timings};
pub use info::ModelInfo;
pub use inshore_ops::KvFormat;
pub use inshore_ops::device::{
    Adapter, BackendKind, DeviceChoice, DeviceError, GpuPlan, GpuTraits, NoPlan, OpenDevice, adapters,
};
#[cfg(target_family = "wasm")]
pub use inshore_ops::{Team, use_team};
pub use inshore_tokenizer::{LocalTime, Message};
pub use llama::{DecoderLayer, Llama};
pub use probe::{Probe, probe};
pub use request::{Begun, Prompt, Request, Sampling};
pub use shape::ModelShape;
pub use tuning::{KnownPlans, MeasuredPlan, PlanChoice};
