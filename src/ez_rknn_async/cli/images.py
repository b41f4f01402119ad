# SPDX-License-Identifier: Apache-2.0
"""Images as inputs: read with Pillow, brought to the size of a model's input, and laid out as the session takes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RknnValueError
from .extras import extra

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL.Image import Image

    from .._tensors.node_arg import NodeArg

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
FITS = ("stretch", "letterbox", "crop")
_GREY = (114, 114, 114)  # the bars of a letterbox, as detectors are trained with
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def is_image(file: str) -> bool:
    """Check by its name if a file is an image."""
    return Path(file).suffix.lower() in SUFFIXES


def read_image(file: str, node: NodeArg, fit: str) -> npt.NDArray[Any]:
    """Read an image as the input that ``node`` describes: uint8, with a batch dimension of 1.

    ``fit``, one of :data:`FITS`, says what becomes of an image of another shape.

    Raises:
        RknnValueError: the file is no image, or the input takes none.
        RknnError: Pillow is not installed.
    """
    height, width, channels = _size(file, node)
    with extra("image", f"reading {file}"):
        from PIL import Image, UnidentifiedImageError
    try:
        with Image.open(file) as opened:
            pixels = np.asarray(_fitted(opened.convert(_MODES[channels]), (width, height), fit))
    except UnidentifiedImageError as error:
        raise RknnValueError(f"{file} is no image that Pillow can read") from error
    except OSError as error:
        raise RknnValueError(f"{file} cannot be read: {error.strerror or error}") from error
    pixels = pixels.reshape(height, width, channels)
    return np.ascontiguousarray(pixels if node.layout == "NHWC" else pixels.transpose(2, 0, 1))[None]


def _size(file: str, node: NodeArg) -> tuple[int, int, int]:
    """Return height, width and channels of an image input."""
    if len(node.shape) == 4 and node.layout in ("NCHW", "NHWC"):
        _, *rest = node.shape
        height, width, channels = rest if node.layout == "NHWC" else (*rest[1:], rest[0])
        if channels in _MODES:
            return height, width, channels
    raise RknnValueError(
        f"{file} is an image, but input {node.name!r} of shape {node.shape} takes none: an image input has four "
        "dimensions, and 1, 3 or 4 channels; give a .npy file"
    )


def _fitted(image: Image, size: tuple[int, int], fit: str) -> Image:
    from PIL import ImageOps
    from PIL.Image import Resampling

    if fit == "letterbox":
        grey = _GREY[0] if image.mode == "L" else _GREY if image.mode == "RGB" else (*_GREY, 255)
        return ImageOps.pad(image, size, Resampling.BILINEAR, color=grey)
    if fit == "crop":
        return ImageOps.fit(image, size, Resampling.BILINEAR)
    return image if image.size == size else image.resize(size, Resampling.BILINEAR)
