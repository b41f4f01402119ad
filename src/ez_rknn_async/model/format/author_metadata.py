# SPDX-License-Identifier: Apache-2.0
"""Metadata of the original model, which a ``.rknn`` file has little room for.

Programs read class names, alphabets and the like from an ONNX model's metadata. A ``.rknn`` file holds one text of at
most 1,024 bytes, the custom string. So three places are searched; where two have a key, the first wins:

1. the custom string, if it is a JSON object;
2. a sidecar beside the ``.rknn`` file, ``x.metadata.json``: a JSON object;
3. the ONNX model beside it, ``x.onnx``.

Beside ``x.rk3588.rknn``, ``x.rk3588.metadata.json`` and ``x.rk3588.onnx`` are taken as well, and come first.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from .onnx_metadata import read_onnx_metadata

logger = logging.getLogger("ez_rknn_async")

SIDECAR = ".metadata.json"


def metadata_beside(path: str) -> dict[str, str]:
    """Metadata in files beside a ``.rknn`` file. One that is damaged is left out, and noted in the log."""
    found: dict[str, str] = {}
    for stem in _stems(path):
        for name, read in ((stem + SIDECAR, _read_sidecar), (stem + ".onnx", read_onnx_metadata)):
            found = {**_tried(name, read), **found}
    return found


def metadata_of(path: str) -> dict[str, str]:
    """Metadata of one ONNX model; none if that is not there, or damaged."""
    return _tried(path, read_onnx_metadata)


def metadata_in(custom_string: str) -> dict[str, str]:
    """Metadata in a model's custom string; none if that is not a JSON object."""
    try:
        return _texts(json.loads(custom_string or "{}"))
    except ValueError:
        return {}


def _stems(path: str) -> list[str]:
    """``models/x.rk3588.rknn``: ``models/x.rk3588`` and ``models/x``."""
    stem = os.path.splitext(path)[0]
    shorter = os.path.splitext(stem)[0]
    return [stem] if shorter == stem else [stem, shorter]


def _tried(path: str, read: Any) -> dict[str, str]:
    if not os.path.isfile(path):
        return {}
    try:
        found: dict[str, str] = read(path)
    except (OSError, ValueError) as error:
        logger.warning("the metadata in %r cannot be read: %s", path, error)
        return {}
    return found


def _read_sidecar(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as file:
        return _texts(json.load(file))


def _texts(content: Any) -> dict[str, str]:
    """A JSON object's entries; values other than texts as JSON."""
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}
