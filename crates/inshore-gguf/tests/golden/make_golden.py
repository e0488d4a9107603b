#!/usr/bin/env python3
"""Makes blocks.bin: random blocks of every tensor type with the f32 values that the `gguf` package unpacks from them.

    python3 -m venv /tmp/gguf && /tmp/gguf/bin/pip install gguf==0.19.0 numpy==2.4.6
    /tmp/gguf/bin/python make_golden.py            # writes blocks.bin beside this script
    /tmp/gguf/bin/python make_golden.py MODEL.gguf # also prints the sums that tests/real_model.rs expects

Format of blocks.bin, little endian, once per type: type code u32, number of blocks u32, length of the packed bytes u32,
number of values u32, packed bytes, values as f32. Scales are random f16 of every finite kind (zero, subnormal, negative,
the largest); all other bytes are uniformly random.
"""

import pathlib
import struct
import sys

import numpy as np
from gguf import GGUFReader
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

# Type, number of blocks, byte offsets of the f16 scales in a block.
TYPES = [
    (T.F32, 64, []),
    (T.F16, 256, []),
    (T.BF16, 256, []),
    (T.Q8_0, 24, [0]),
    (T.Q4_0, 24, [0]),
    (T.Q4_1, 24, [0, 2]),
    (T.Q5_0, 24, [0]),
    (T.Q5_1, 24, [0, 2]),
    (T.Q4_K, 14, [0, 2]),
    (T.Q5_K, 14, [0, 2]),
    (T.Q6_K, 14, [208]),
]
# Zeros, smallest and largest subnormal, smallest and largest normal, one, and infinity for plain floats.
SPECIAL_F16 = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00]


def random_f16(rng, count):
    bits = rng.integers(0, 1 << 16, count, dtype=np.uint16)
    bits = np.where(bits & 0x7C00 == 0x7C00, bits & 0xBFFF, bits)  # no infinity, no NaN
    special = np.array(SPECIAL_F16, np.uint16)
    return np.where(np.arange(count) < len(special), special[np.arange(count) % len(special)], bits).astype("<u2")


def blocks(rng, kind, count, scales):
    _, size = GGML_QUANT_SIZES[kind]
    packed = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in scales:
        packed[:, at : at + 2] = rng.permutation(random_f16(rng, count)).view(np.uint8).reshape(count, 2)
    if kind == T.F16:
        specials = np.array(SPECIAL_F16 + [0x7C00, 0xFC00], "<u2").view(np.uint8).reshape(-1, 2)
        packed[: len(specials)] = specials
    return packed


def main():
    rng = np.random.default_rng(20260101)
    with open(pathlib.Path(__file__).with_name("blocks.bin"), "wb") as out:
        for kind, count, scales in TYPES:
            packed = blocks(rng, kind, count, scales)
            with np.errstate(all="ignore"):
                values = np.concatenate([np.ravel(dequantize(row, kind)) for row in packed]).astype("<f4")
            out.write(struct.pack("<4I", kind.value, count, packed.size, values.size))
            out.write(packed.tobytes())
            out.write(values.tobytes())
    for path in sys.argv[1:]:
        for tensor in GGUFReader(path).tensors:
            if tensor.name in ("token_embd.weight", "blk.0.attn_q.weight", "blk.29.ffn_down.weight", "output_norm.weight"):
                values = dequantize(tensor.data, tensor.tensor_type).astype(np.float64).ravel()
                weighted = values * (np.arange(values.size) % 7 + 1)
                print(tensor.name, tensor.tensor_type.name, list(tensor.shape), repr(values.sum()), repr(weighted.sum()))


main()
