# SPDX-License-Identifier: Apache-2.0
"""Image files as inputs, prepared as the model's metadata says: ``ezrknn convert`` writes that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..converting.images import SUFFIXES, read_image
from ..errors import RknnValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt


def is_image(file: str) -> bool:
    """Check if a file is an image, by its name."""
    return Path(file).suffix.lower() in SUFFIXES


def prepared(file: str, name: str, metadata: Mapping[str, str]) -> npt.NDArray[Any]:
    """Return an image as the array that an input takes, in ONNX order and before mean and deviation.

    Raises:
        RknnValueError: the metadata does not say how images are prepared.
    """
    try:
        settings = json.loads(metadata.get("preprocessing", "{}"))[name]
        return read_image(
            Path(file),
            tuple(settings["shape"]),
            layout=settings["layout"],
            color=settings["color"],
            resize=settings["resize"],
            pad=settings["pad"],
        )
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, RknnValueError):
            raise
        raise RknnValueError(
            f"{file} is an image, and the model's metadata does not say how to prepare it for the input "
            f"{name!r}; give a "
            ".npy file (files of ezrknn convert have it)"
        ) from error
