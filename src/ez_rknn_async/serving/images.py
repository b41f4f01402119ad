# SPDX-License-Identifier: Apache-2.0
"""Encoded images as inputs: a BYTES tensor whose elements are JPEG or PNG files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from .refusal import UNSUPPORTED, RefusedError, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._tensors.node_arg import NodeArg


def decode_images(files: Sequence[bytes], arg: NodeArg) -> npt.NDArray[np.uint8]:
    """Return encoded images as the uint8 array that an image input takes, in its layout.

    Raises:
        RefusedError: the input is none of images, a file is no image or of another size, or Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise RefusedError(
            UNSUPPORTED, "this server decodes no images: Pillow is not installed", hint="send the pixels as UINT8"
        ) from None
    if arg.layout not in ("NCHW", "NHWC") or len(arg.shape) != 4:
        raise invalid(f"input {arg.name!r} takes no images, and so no BYTES")
    _, *rest = arg.shape if arg.layout == "NHWC" else (arg.shape[i] for i in (0, 2, 3, 1))
    height, width, channels = rest
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None:
        raise invalid(f"input {arg.name!r} has {channels} channels, which no JPEG or PNG has")
    if not files:
        raise invalid(f"input {arg.name!r} holds no image")
    decoded = [
        _decoded(Image, file, (width, height), mode, f"image {i} of {arg.name!r}") for i, file in enumerate(files)
    ]
    stacked = np.stack(decoded).reshape(len(files), height, width, channels)
    return stacked if arg.layout == "NHWC" else np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


def _decoded(image_module: Any, file: bytes, size: tuple[int, int], mode: str, what: str) -> npt.NDArray[np.uint8]:
    try:
        with image_module.open(io.BytesIO(file), formats=("JPEG", "PNG")) as image:
            # Before it is decoded: a few bytes may stand for gigabytes of pixels.
            if image.size != size:
                raise invalid(f"{what} is {image.size[0]}x{image.size[1]}, the model takes {size[0]}x{size[1]}")
            return np.asarray(image.convert(mode), np.uint8)
    except (OSError, SyntaxError, ValueError, image_module.DecompressionBombError) as error:
        if isinstance(error, RefusedError):
            raise
        raise invalid(f"{what} is no JPEG or PNG file that can be decoded") from None
