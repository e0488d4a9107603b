#!/usr/bin/env python3
"""Writes the weights of a Llama GGUF as ONNX, in the operators of the language models that transformers.js loads.

    python make_onnx.py MODEL.gguf FOLDER fp32 int8 q8

fp32: every weight dequantised. int8: weights as 8-bit integers per output, activations quantised on the way (MatMulInteger), as
in the int8 files that are commonly published. q8: 8-bit blocks of 32 (MatMulNBits). Needs numpy, onnx and gguf, no framework.
"""
import json
import os
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from onnx import TensorProto, helper, numpy_helper, save

MICROSOFT = "com.microsoft"
BLOCK = 32
MAX_POSITIONS = 8192
# The names by which transformers.js finds the file of a dtype.
FILES = {"fp32": "model.onnx", "int8": "model_int8.onnx", "q8": "model_quantized.onnx"}


class Llama:
    """Hyperparameters and dequantised weights."""

    def __init__(self, path):
        reader = GGUFReader(path)

        def field(key):
            return reader.fields["llama." + key].contents()

        self.layers = field("block_count")
        self.hidden = field("embedding_length")
        self.intermediate = field("feed_forward_length")
        self.heads = field("attention.head_count")
        self.kv_heads = field("attention.head_count_kv")
        self.head_dim = self.hidden // self.heads
        self.epsilon = float(field("attention.layer_norm_rms_epsilon"))
        self.rope_base = float(field("rope.freq_base"))
        self.weights = {
            tensor.name: dequantize(tensor.data, tensor.tensor_type).astype(np.float32) for tensor in reader.tensors
        }

    def rope(self):
        """Cosines and sines, [positions, head_dim / 2]."""
        frequencies = self.rope_base ** (-np.arange(0, self.head_dim, 2) / self.head_dim)
        angles = np.arange(MAX_POSITIONS)[:, None] * frequencies[None]
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def halves(self, name, heads):
        """Q or K rows in the order of operators that rotate halves; GGUF pairs neighbours."""
        weight = self.weights[name]
        pairs = weight.reshape(heads, weight.shape[0] // heads // 2, 2, weight.shape[1])
        return pairs.swapaxes(1, 2).reshape(weight.shape)


class Graph:
    """Collects nodes and weights; a method adds one operation and returns the name of its output."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []
        self.quantised = {}

    def weight(self, name, array):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator, inputs, outputs, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0] + "." + operator, domain=domain, **attributes))
        return outputs[0]

    def linear(self, x, weight, out):
        """x · weightᵀ, in the graph's dtype; weight: [outputs, inputs]."""
        if self.dtype == "fp32":
            return self.node("MatMul", [x, self.weight(out + ".w", weight.T)], out)
        return self.linear_int8(x, weight, out) if self.dtype == "int8" else self.linear_blocks(x, weight, out)

    def linear_int8(self, x, weight, out):
        scale = np.abs(weight).max(-1) / 127
        scale[scale == 0] = 1
        packed = np.rint(weight / scale[:, None]).astype(np.int8)
        if x not in self.quantised:
            names = [x + ".u8", x + ".scale", x + ".zero"]
            self.node("DynamicQuantizeLinear", [x], names)
            self.quantised[x] = names
        x_u8, x_scale, x_zero = self.quantised[x]
        sums = self.node("MatMulInteger", [x_u8, self.weight(out + ".w", packed.T), x_zero], out + ".i32")
        floats = self.node("Cast", [sums], out + ".f32", to=TensorProto.FLOAT)
        scales = self.node("Mul", [x_scale, self.weight(out + ".s", scale.astype(np.float32))], out + ".scales")
        return self.node("Mul", [floats, scales], out)

    def linear_blocks(self, x, weight, out):
        rows, columns = weight.shape
        blocks = weight.reshape(rows, columns // BLOCK, BLOCK)
        scale = np.abs(blocks).max(-1) / 127
        scale[scale == 0] = 1
        packed = (np.rint(blocks / scale[..., None]) + 128).astype(np.uint8)
        inputs = [x, self.weight(out + ".w", packed), self.weight(out + ".s", scale.astype(np.float32))]
        sizes = {"K": columns, "N": rows, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
        return self.node("MatMulNBits", inputs, out, MICROSOFT, **sizes)

    def input(self, name, kind, shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))

    def output(self, name, shape):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


def build(model, dtype):
    """The whole decoder; transformers.js derives the empty cache's shape from the names of the symbolic dimensions."""
    graph = Graph(dtype)
    weights = model.weights
    for name, length in (("input_ids", "sequence_length"), ("attention_mask", "total_sequence_length")):
        graph.input(name, TensorProto.INT64, ["batch_size", length])
    graph.input("num_logits_to_keep", TensorProto.INT64, [])
    graph.output("logits", ["batch_size", "num_logits", weights["token_embd.weight"].shape[0]])
    for name, table in zip(("cos", "sin"), model.rope()):
        graph.weight(name, table)
    graph.weight("one", np.array([1], np.int64))
    graph.weight("index1", np.array(1, np.int64))
    graph.weight("end", np.array([2**31 - 1], np.int64))
    lengths(graph)

    residual = graph.node("Gather", [graph.weight("embedding", weights["token_embd.weight"]), "input_ids"], "x0", axis=0)
    norm = graph.weight("norm.0", weights["blk.0.attn_norm.weight"])
    normed = graph.node(
        "SimplifiedLayerNormalization", [residual, norm], "normed.0", axis=-1, stash_type=1, epsilon=model.epsilon
    )
    for index in range(model.layers):
        residual, normed = layer(graph, model, index, residual, normed)
    start = graph.node("Reshape", [graph.node("Neg", ["num_logits_to_keep"], "neg"), "one"], "start")
    last = graph.node("Slice", [normed, start, "end", "one"], "last")
    graph.linear(last, weights.get("output.weight", weights["token_embd.weight"]), "logits")
    whole = helper.make_graph(graph.nodes, "llama", graph.inputs, graph.outputs, graph.weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(whole, opset_imports=opsets, ir_version=9)


def lengths(graph):
    """What GroupQueryAttention wants: the last position of each sequence, and the longest length."""
    graph.node("ReduceSum", ["attention_mask", "one"], "mask_sum", keepdims=0)
    graph.node("Cast", [graph.node("Sub", ["mask_sum", "one"], "last_position")], "seqlens_k", to=TensorProto.INT32)
    shape = graph.node("Shape", ["attention_mask"], "mask_shape")
    total = graph.node("Gather", [shape, "index1"], "total_i64", axis=0)
    graph.node("Cast", [total], "total", to=TensorProto.INT32)


def layer(graph, model, index, residual, normed):
    """One block; returns the residual stream and its norm for the next block."""
    block, name = f"blk.{index}.", f"l{index}."
    weights = model.weights
    q = graph.linear(normed, model.halves(block + "attn_q.weight", model.heads), name + "q")
    k = graph.linear(normed, model.halves(block + "attn_k.weight", model.kv_heads), name + "k")
    v = graph.linear(normed, weights[block + "attn_v.weight"], name + "v")
    past = [f"past_key_values.{index}.{part}" for part in ("key", "value")]
    present = [f"present.{index}.{part}" for part in ("key", "value")]
    for inner, outer in zip(past, present):
        graph.input(inner, TensorProto.FLOAT, ["batch_size", model.kv_heads, "past_sequence_length", model.head_dim])
        graph.output(outer, ["batch_size", model.kv_heads, "total_sequence_length", model.head_dim])
    attended = graph.node(
        "GroupQueryAttention",
        [q, k, v, *past, "seqlens_k", "total", "cos", "sin"],
        [name + "attended", *present],
        MICROSOFT,
        num_heads=model.heads,
        kv_num_heads=model.kv_heads,
        scale=float(model.head_dim**-0.5),
        do_rotary=1,
        rotary_interleaved=0,
    )
    projected = graph.linear(attended, weights[block + "attn_output.weight"], name + "o")
    norm = graph.weight(name + "ffn_norm", weights[block + "ffn_norm.weight"])
    middle = add_norm(graph, residual, projected, norm, name + "middle", model.epsilon)
    gate = graph.linear(middle[1], weights[block + "ffn_gate.weight"], name + "gate")
    up = graph.linear(middle[1], weights[block + "ffn_up.weight"], name + "up")
    silu = graph.node("Mul", [gate, graph.node("Sigmoid", [gate], name + "sigmoid")], name + "silu")
    down = graph.linear(graph.node("Mul", [silu, up], name + "gated"), weights[block + "ffn_down.weight"], name + "down")
    following = "output_norm.weight" if index == model.layers - 1 else f"blk.{index + 1}.attn_norm.weight"
    return add_norm(graph, middle[0], down, graph.weight(name + "next", weights[following]), name + "out", model.epsilon)


def add_norm(graph, residual, addend, norm, name, epsilon):
    """The names of residual + addend, and of its RMS norm."""
    outputs = [name + ".normed", "", "", name + ".sum"]
    graph.node("SkipSimplifiedLayerNormalization", [residual, addend, norm], outputs, MICROSOFT, epsilon=epsilon)
    return name + ".sum", name + ".normed"


def write_config(model, folder):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": model.hidden,
        "intermediate_size": model.intermediate,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "vocab_size": model.weights["token_embd.weight"].shape[0],
        "max_position_embeddings": MAX_POSITIONS,
        "rms_norm_eps": model.epsilon,
        "rope_theta": model.rope_base,
    }
    tokens = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    for name, content in (("config.json", {**config, **tokens}), ("generation_config.json", tokens)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file)


def main(path, folder, dtypes):
    model = Llama(path)
    os.makedirs(os.path.join(folder, "onnx"), exist_ok=True)
    for dtype in dtypes:
        target = os.path.join(folder, "onnx", FILES[dtype])
        save(build(model, dtype), target)
        print(f"{target}: {os.path.getsize(target)} bytes", flush=True)
    write_config(model, folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
