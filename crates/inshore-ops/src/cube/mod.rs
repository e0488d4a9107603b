//! The operations on the GPU.
use burn::backend::tensor::{FloatTensor, IntTensor};
use crate::extension::*;
use crate::{PackedLayout, SampleParams};
impl DecoderOps for burn_cubecl::CubeBackend {
    fn embed(_ids: IntTensor<Self>, _table: IntTensor<Self>, _layout: PackedLayout) -> FloatTensor<Self> { panic!() }
    fn qkv_rope(_x: FloatTensor<Self>, _weights: QkvTensors<Self>, _cache: KvTensors<Self>, _shape: QkvShape) -> KvTensors<Self> { panic!() }
    fn attention(_q: FloatTensor<Self>, _k: FloatTensor<Self>, _v: FloatTensor<Self>, _shape: AttentionShape) -> FloatTensor<Self> { panic!() }
    fn linear_add(_x: FloatTensor<Self>, _weight: IntTensor<Self>, _residual: FloatTensor<Self>, _layout: PackedLayout) -> FloatTensor<Self> { panic!() }
    fn gated_mlp(_x: FloatTensor<Self>, _norm: FloatTensor<Self>, _gate: IntTensor<Self>, _up: IntTensor<Self>, _layouts: (PackedLayout, PackedLayout), _norm_eps: f32) -> FloatTensor<Self> { panic!() }
    fn logits(_x: FloatTensor<Self>, _norm: FloatTensor<Self>, _weight: IntTensor<Self>, _layout: PackedLayout, _norm_eps: f32) -> FloatTensor<Self> { panic!() }
    fn sample(_logits: FloatTensor<Self>, _history: IntTensor<Self>, _params: SampleParams) -> IntTensor<Self> { panic!() }
}
