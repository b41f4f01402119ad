# SPDX-License-Identifier: Apache-2.0
"""Image files as a model's input: decoded, brought to its size, in its order of colours and dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RknnError, RknnValueError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image as PillowImage

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
RESIZES = ("stretch", "letterbox", "crop")
GREY = 114  # the bars of a letterbox, as detectors are trained with
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_image(
    path: Path, shape: tuple[int, ...], *, layout: str, color: str, resize: str, pad: int
) -> NDArray[np.float32]:
    """Return an image as an array of ``shape``, with numbers from 0 to 255.

    Args:
        shape: of the input, with a batch of 1.
        layout: "nchw" or "nhwc".

    Raises:
        RknnError: Pillow is not installed.
        RknnValueError: the file is no image.
    """
    channels, height, width = shape[1:] if layout == "nchw" else (shape[3], shape[1], shape[2])
    image = _sized(_opened(path, channels), width, height, resize, pad)
    pixels = np.asarray(image, np.float32).reshape(height, width, channels)
    if color == "bgr" and channels >= 3:
        pixels = pixels[..., [2, 1, 0, *range(3, channels)]]
    if layout == "nchw":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels)[np.newaxis]


def _opened(path: Path, channels: int) -> PillowImage.Image:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise RknnError(
            "reading images needs the package Pillow, which is not installed",
            hint="install it with: pip install 'ez-rknn-async[image]', or give .npy files",
        ) from error
    if channels not in _MODES:
        raise RknnValueError(f"{path} is an image, and the input has {channels} channels; give .npy files")
    try:
        with Image.open(path) as image:
            # As viewers show it, and as cameras' programs load it.
            upright: Any = ImageOps.exif_transpose(image)
            converted: PillowImage.Image = upright.convert(_MODES[channels])
            return converted
    except UnidentifiedImageError as error:
        raise RknnValueError(f"{path} is no image that Pillow can read") from error
    except OSError as error:
        raise RknnValueError(f"{path} cannot be read: {error.strerror or error}") from error


def _sized(image: PillowImage.Image, width: int, height: int, resize: str, pad: int) -> PillowImage.Image:
    from PIL import Image, ImageOps

    if resize == "stretch":
        return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BILINEAR)
    if resize == "crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    grey: Any = {"L": pad, "RGB": (pad, pad, pad)}.get(image.mode, (pad, pad, pad, 255))
    return ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR, color=grey)
