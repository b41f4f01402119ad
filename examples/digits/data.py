# SPDX-License-Identifier: Apache-2.0
"""The handwritten digits: their source, their split, and their form as network input.

The data set is the one in scikit-learn (``README.md`` names its authors): 1797 images of 8 x 8 pixels with values from
0 to 16. The network sees each pixel as a square of 6 x 6, so an image of 48 x 48: more than the digits need, but enough
work to show the effect of an NPU's cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
TEST_SET = HERE / "digits_test.npz"
PIXEL_MAX = 16
SQUARE = 6


@dataclass(frozen=True)
class Digits:
    """Images, uint8 [N, 1, 8, 8] with values 0 to 16, and the digit in each, int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load_split() -> tuple[Digits, Digits]:
    """Return the training images and the held-out ones: a quarter, the same every time, each digit in proportion."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, np.newaxis]
    labels = digits.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)
    return Digits(train_x, train_y), Digits(test_x, test_y)


def enlarge(images: NDArray[Any]) -> NDArray[Any]:
    """Enlarge images to the network's input: [N, 1, 8, 8] to [N, 1, 48, 48], same values and type."""
    return images.repeat(SQUARE, axis=2).repeat(SQUARE, axis=3)
