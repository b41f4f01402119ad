# SPDX-License-Identifier: Apache-2.0
"""Classify three sentences, as numbers of tokens: ``run_bert.py FOLDER``; ``run_bert.py FOLDER rk-transformers``."""

import json
import sys

import numpy as np

FOLDER = sys.argv[1]
SENTENCES = [np.random.default_rng(seed).integers(1, 300, (1, 12 + 8 * seed)) for seed in range(3)]


def padded(sentence: np.ndarray) -> dict[str, np.ndarray]:
    mask = np.ones_like(sentence)
    return {
        name: np.pad(value, ((0, 0), (0, 32 - value.shape[1])))
        for name, value in (("input_ids", sentence), ("attention_mask", mask))
    }


if sys.argv[2:] == ["rk-transformers"]:
    from rktransformers import RKModelForSequenceClassification

    model = RKModelForSequenceClassification.from_pretrained(FOLDER, platform="rk3588", max_seq_length=32)
    found = [model(**padded(sentence))["logits"] for sentence in SENTENCES]
else:
    import onnxruntime

    session = onnxruntime.InferenceSession(f"{FOLDER}/bert.onnx")
    found = [session.run(None, padded(sentence))[0] for sentence in SENTENCES]
print(json.dumps([np.asarray(logits).tolist() for logits in found]))
