# SPDX-License-Identifier: Apache-2.0
"""Images as inputs: brought to the size of a model's input, and laid out as the session takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..converting.images import GREY, RESIZES, SUFFIXES
from ..converting.images import read_image as read
from ..converting.metadata import KEY
from ..errors import RknnValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from .._tensors.node_arg import NodeArg

FITS = RESIZES


class ImageInput(NamedTuple):
    """An input that may be an image.

    Attributes:
        layout: ``"NCHW"`` or ``"NHWC"``; anything else has no channels.
        color: ``"rgb"`` or ``"bgr"``.
        fit: one of :data:`FITS`: what becomes of an image of another shape.
        pad: the grey of a letterbox's bars.
    """

    name: str
    shape: Sequence[int]
    layout: str
    color: str = "rgb"
    fit: str = FITS[0]
    pad: int = GREY


def is_image(file: str) -> bool:
    """Check by its name if a file is an image."""
    return Path(file).suffix.lower() in SUFFIXES


def image_inputs(inputs: Sequence[NodeArg], metadata: Mapping[str, str], fit: str | None) -> dict[str, ImageInput]:
    """Return the inputs of a session by name, with what ``ezrknn convert`` wrote into the model's metadata.

    ``fit`` says otherwise than the metadata, if it is not None.
    """
    described = _described(metadata)
    return {node.name: _image_input(node.name, node.shape, node.layout, described, fit) for node in inputs}


def described_inputs(metadata: Mapping[str, str]) -> dict[str, ImageInput]:
    """Return the inputs that the metadata describes, in ONNX order."""
    described = _described(metadata)
    return {
        name: _image_input(name, one["shape"], one["layout"].upper(), described, None)
        for name, one in described.items()
        if "shape" in one and "layout" in one
    }


def read_image(file: str, port: ImageInput) -> npt.NDArray[Any]:
    """Read an image for an input: uint8, with a batch dimension of 1.

    Raises:
        RknnValueError: the file is no image, or the input takes none.
        RknnError: Pillow is not installed.
    """
    channels = port.shape[{"NCHW": 1, "NHWC": 3}[port.layout]] if _has_channels(port) else 0
    if channels not in (1, 3, 4):
        raise RknnValueError(
            f"{file} is an image, but input {port.name!r} of shape {list(port.shape)} takes none: an image input has "
            "four dimensions, and 1, 3 or 4 channels; give a .npy file"
        )
    layout = port.layout.lower()
    pixels = read(Path(file), tuple(port.shape), layout=layout, color=port.color, resize=port.fit, pad=port.pad)
    return pixels.astype(np.uint8)


def _has_channels(port: ImageInput) -> bool:
    return len(port.shape) == 4 and port.layout in ("NCHW", "NHWC")


def _described(metadata: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return how each input is prepared, as far as the metadata is what we write."""
    try:
        described = json.loads(metadata.get(KEY, "{}"))
    except ValueError:
        return {}
    if not isinstance(described, dict):
        return {}
    return {name: one for name, one in described.items() if isinstance(one, dict)}


def _image_input(
    name: str, shape: Sequence[int], layout: str, described: Mapping[str, Mapping[str, Any]], fit: str | None
) -> ImageInput:
    one = described.get(name, {})
    color, resize, pad = one.get("color", "rgb"), fit or one.get("resize", FITS[0]), one.get("pad", GREY)
    return ImageInput(name, shape, layout, color, resize if resize in FITS else FITS[0], pad)
