# SPDX-License-Identifier: Apache-2.0
"""A standard vision transformer with random weights, exported to ONNX for ``make bench-loading`` to compile.

The small one of Dosovitskiy et al. 2021, "An image is worth 16x16 words": 22 million weights, patches of 16 pixels of
an image of 224. Needs torch, which rknn-toolkit2 brings::

    python benchmarks/transformer.py vit_small.onnx
"""

from __future__ import annotations

import sys

import torch
from torch import nn

OPSET = 12
SIZE, PATCH = 224, 16  # pixels
WIDTH, DEPTH, HEADS, CLASSES = 384, 12, 6, 1000


class Block(nn.Module):
    """Attention and two layers, each normalised before and added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.projection = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)
        self.layers = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Transform tokens [batch, length, WIDTH] to as many."""
        tokens = tokens + self._attention(self.norms[0](tokens))
        result: torch.Tensor = tokens + self.layers(self.norms[1](tokens))
        return result

    def _attention(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, length, _ = tokens.shape
        heads = self.projection(tokens).reshape(batch, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5).softmax(-1)
        result: torch.Tensor = self.output((weights @ value).transpose(1, 2).reshape(batch, length, WIDTH))
        return result


class VisionTransformer(nn.Module):
    """Patch embedding with a class token, transformer blocks, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.image_token = nn.Parameter(0.02 * torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(0.02 * torch.randn(1, (SIZE // PATCH) ** 2 + 1, WIDTH))
        self.blocks = nn.Sequential(*[Block() for _ in range(DEPTH)])
        self.norm = nn.LayerNorm(WIDTH)
        self.classes = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Classify images [batch, 3, SIZE, SIZE]: scores [batch, CLASSES]."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = self.blocks(torch.cat([self.image_token, tokens], 1) + self.places)
        result: torch.Tensor = self.classes(self.norm(tokens)[:, 0])
        return result


if __name__ == "__main__":
    torch.manual_seed(0)
    image = torch.zeros(1, 3, SIZE, SIZE)
    torch.onnx.export(VisionTransformer().eval(), (image,), sys.argv[1], opset_version=OPSET, input_names=["images"])
