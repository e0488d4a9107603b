#!/usr/bin/env python3
"""perplexity.json: token ids of perplexity.txt and their log-probabilities, f32 numpy on dequantised weights (model_np.py).
pip install numpy gguf tokenizers; python perplexity.py --model PATH/SmolLM2-135M-Instruct.Q4_1.gguf"""
import argparse, hashlib, json, math, os
import numpy as np
from gguf import GGUFReader
from tokenizers import Tokenizer
from model_np import Model

HERE = os.path.dirname(os.path.abspath(__file__))
# Positions whose logits are in memory at a time.
PIECE = 128


def tokenizer(path):
    """Hugging Face's tokenizer with the file's vocabulary and merges and SmolLM2's rules."""
    fields = GGUFReader(path).fields
    tokens, types, merges = (fields[f'tokenizer.ggml.{name}'].contents() for name in ('tokens', 'token_type', 'merges'))
    special = [{'id': i, 'content': token, 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False,
                'special': True} for i, (token, kind) in enumerate(zip(tokens, types)) if kind == 3]
    split = [{'type': 'Digits', 'individual_digits': True},
             {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True, 'use_regex': True}]
    bpe = {'type': 'BPE', 'dropout': None, 'unk_token': None, 'continuing_subword_prefix': None, 'end_of_word_suffix': None,
           'fuse_unk': False, 'byte_fallback': False, 'vocab': {token: i for i, token in enumerate(tokens)},
           'merges': [merge.split(' ', 1) for merge in merges]}
    return Tokenizer.from_str(json.dumps({
        'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': special, 'normalizer': None,
        'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': split}, 'post_processor': None, 'decoder': None, 'model': bpe}))


def logprobs(model, ids):
    """ln p(ids[i] | ids[..i]) for i from 1 on."""
    found = []
    for start in range(0, len(ids) - 1, PIECE):
        piece = ids[start:start + PIECE]
        logits = model.forward(piece, all_logits=True).astype(np.float64)
        for row, target in zip(logits, ids[start + 1:start + 1 + PIECE]):
            most = row.max()
            found.append(float(row[target] - most - np.log(np.exp(row - most).sum())))
        print(len(found), 'of', len(ids) - 1, 'perplexity so far', math.exp(-sum(found) / len(found)), flush=True)
    return found


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--model', required=True)
    path = arguments.parse_args().model
    text = open(os.path.join(HERE, 'perplexity.txt'), encoding='utf-8').read()
    ids = tokenizer(path).encode(text, add_special_tokens=False).ids
    found = logprobs(Model(path), ids)
    sha256 = hashlib.sha256(open(path, 'rb').read()).hexdigest()
    result = {'model': os.path.basename(path), 'sha256': sha256, 'note': 'natural logarithms; one for each id but the first',
              'perplexity': math.exp(-sum(found) / len(found)), 'ids': ids, 'logprobs': [round(one, 5) for one in found]}
    lines = ',\n'.join(f' {json.dumps(key)}: {json.dumps(value)}' for key, value in result.items())
    open(os.path.join(HERE, 'perplexity.json'), 'w', encoding='utf-8').write('{\n' + lines + '\n}\n')


main()
