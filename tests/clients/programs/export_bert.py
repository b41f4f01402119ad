# SPDX-License-Identifier: Apache-2.0
"""Build a small BERT with random weights that classifies, and export it to ONNX: ``export_bert.py FOLDER``."""

import sys
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

folder = Path(sys.argv[1])
torch.manual_seed(0)
config = BertConfig(
    vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, num_labels=5,
    type_vocab_size=1, max_position_embeddings=64, attn_implementation="eager", initializer_range=0.3,
)  # fmt: skip
model = BertForSequenceClassification(config).eval()
config.save_pretrained(folder)
ids, mask = torch.ones(1, 32, dtype=torch.int64), torch.ones(1, 32, dtype=torch.int64)
torch.onnx.export(
    model, (ids, mask), str(folder / "bert.onnx"), dynamo=False, opset_version=14,
    input_names=["input_ids", "attention_mask"], output_names=["logits"],
)  # fmt: skip
