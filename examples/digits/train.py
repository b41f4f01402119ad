# SPDX-License-Identifier: Apache-2.0
"""The training of the digit classifier, and its export to ONNX.

The network is a plain CNN, 1 x 48 x 48 pixels to ten logits; training takes two minutes in PyTorch on the CPU.
``compile.py`` runs this module; on its own it only trains::

    python examples/digits/train.py digits.onnx
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data import PIXEL_MAX, Digits, enlarge, load_split

EPOCHS = 25
BATCH = 64
LARGEST_SHIFT = 4  # pixels of the enlarged image
SEED = 0


def block(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Build a convolution that keeps the size, normalised (the compiler folds that into the convolution)."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def network() -> nn.Sequential:
    """Build the classifier; its input is pixels divided by their largest value."""
    return nn.Sequential(
        *(block(1, 32, kernel=7), block(32, 32), nn.MaxPool2d(2)),  # 7 x 7: a square of 6 x 6 and its neighbours
        *(block(32, 32), nn.MaxPool2d(2)),
        *(block(32, 64), nn.AvgPool2d(4)),  # 3 x 3 regions: enough to tell where a stroke is
        *(nn.Flatten(), nn.Linear(64 * 3 * 3, 10)),
    )


def train(digits: Digits) -> nn.Sequential:
    """Return a trained network, in evaluation mode."""
    torch.manual_seed(SEED)
    images = to_tensor(digits)
    labels = torch.from_numpy(digits.labels)
    model = network()
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    for epoch in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(BATCH):
            loss = nn.functional.cross_entropy(model(shifted(images[chosen])), labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1:2} of {EPOCHS}: loss {loss.item():.4f}")
    return model.eval()


def to_tensor(digits: Digits) -> Tensor:
    """Return the enlarged images, float32 [N, 1, 48, 48] from 0 to 1."""
    return torch.from_numpy(enlarge(digits.images).astype(np.float32) / PIXEL_MAX)


def shifted(images: Tensor) -> Tensor:
    """Shift a batch by a few pixels in a random direction, so that the network does not memorise positions."""
    down, right = torch.randint(-LARGEST_SHIFT, LARGEST_SHIFT + 1, (2,)).tolist()
    return torch.roll(images, (down, right), dims=(2, 3))


def export(model: nn.Sequential, path: Path) -> None:
    """Write the network as ONNX, input ``image`` and output ``logits``, one image at a time."""
    example = torch.zeros(1, 1, 48, 48)
    torch.onnx.export(model, (example,), str(path), input_names=["image"], output_names=["logits"], opset_version=13)


def main(path: Path) -> None:
    """Train the network, print its accuracy on the held-out images, export it."""
    training, held_out = load_split()
    model = train(training)
    with torch.no_grad():
        correct = (model(to_tensor(held_out)).argmax(1).numpy() == held_out.labels).mean()
    print(f"accuracy on {len(held_out.labels)} held-out images: {correct:.2%}")
    export(model, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
