# SPDX-License-Identifier: Apache-2.0
"""Inputs of image models: photographs and printed pages of scikit-image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import numpy as np

from .model import Package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .model import Arrays, Assets, Samples

    Image = NDArray[np.uint8]
    Source = Callable[[Assets], Sequence[Image]]

SCIKIT_IMAGE = Package("pypi", "scikit-image", "0.26.0")
PHOTOGRAPHS = ("astronaut", "coffee", "rocket", "chelsea", "motorcycle_left", "motorcycle_right", "retina", "ihc")
SAMPLES = 8


class Scaling(NamedTuple):
    """What a model's program makes of pixels: ``(x - mean) / std``, for each channel or all."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


PLAIN = Scaling((0.0,), (1.0,))
UNIT = Scaling((0.0,), (255.0,))
HALF = Scaling((127.5,), (127.5,))
IMAGENET = Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def photographs(assets: Assets) -> Sequence[Image]:
    """Return eight photographs, in the channel order of OpenCV."""
    return [_read(assets, name) for name in PHOTOGRAPHS]


def faces(assets: Assets) -> Sequence[Image]:
    """Return the photograph with a face, as cut in eight ways around it."""
    image = _read(assets, "astronaut")
    return [np.ascontiguousarray(image[8 * i : 320 + 20 * i, 60 - 6 * i : 420 + 10 * i]) for i in range(SAMPLES)]


def pages(assets: Assets) -> Sequence[Image]:
    """Return eight pieces of printed pages."""
    page, text = _read(assets, "page"), _read(assets, "text")
    pieces = [page, page[:96], page[95:], page[:, :192], page[:, 192:], text, text[:, :224], text[:, 224:]]
    return [np.ascontiguousarray(piece) for piece in pieces]


def lines(assets: Assets) -> Sequence[Image]:
    """Return eight lines of printed text, found as bands of dark rows."""
    page = _read(assets, "page")
    grey = page[..., 1].astype(np.float32)
    dark = (grey < grey.mean(axis=1, keepdims=True) - 40).sum(axis=1) > 6
    edges = np.flatnonzero(np.diff(np.concatenate([[False], dark, [False]]).astype(np.int8)))
    bands = [(start, end) for start, end in edges.reshape(-1, 2) if end - start >= 6]
    bands = bands[:SAMPLES] if len(bands) >= SAMPLES else [(20 * i + 8, 20 * i + 28) for i in range(SAMPLES)]
    return [np.ascontiguousarray(page[max(0, start - 3) : end + 3, 6:330]) for start, end in bands]


def words(assets: Assets) -> Sequence[Image]:
    """Return the left fifths of those lines, as short as a captcha."""
    return [np.ascontiguousarray(line[:, 14 * i : 14 * i + 70]) for i, line in enumerate(lines(assets))]


def pictures(
    source: Source,
    size: tuple[int, int],
    *,
    scaling: Scaling = PLAIN,
    channels: str = "bgr",
    layout: str = "nchw",
    fill: int | None = None,
) -> Samples:
    """Return a maker of inputs: images of ``size`` (height, width), scaled.

    ``fill`` keeps the proportions and fills what remains with that level.
    """

    def samples(assets: Assets) -> Sequence[Arrays]:
        return [[_input(image, size, scaling, channels, layout, fill)] for image in source(assets)]

    return samples


def _read(assets: Assets, name: str) -> Image:
    import cv2

    (path,) = assets.path(SCIKIT_IMAGE, "skimage/data").glob(f"{name}.[jp][pn]g")
    image: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return np.asarray(image)


def _input(
    image: Image,
    size: tuple[int, int],
    scaling: Scaling,
    channels: str,
    layout: str,
    fill: int | None,
) -> NDArray[np.float32]:
    import cv2

    scaled: Any = _filled(image, size, fill) if fill is not None else cv2.resize(image, size[::-1])
    if channels == "rgb":
        scaled = scaled[..., ::-1]
    elif channels == "grey":
        scaled = cv2.cvtColor(scaled, cv2.COLOR_BGR2GRAY)[..., None]
    normal = (scaled.astype(np.float32) - np.array(scaling.mean, np.float32)) / np.array(scaling.std, np.float32)
    return np.ascontiguousarray((normal if layout == "nhwc" else normal.transpose(2, 0, 1))[None], dtype=np.float32)


def _filled(image: Image, size: tuple[int, int], fill: int) -> Image:
    import cv2

    ratio = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, int(extent * ratio)) for extent in image.shape[:2])
    canvas = np.full((*size, 3), fill, np.uint8)
    canvas[:height, :width] = cv2.resize(image, (width, height))
    return canvas
