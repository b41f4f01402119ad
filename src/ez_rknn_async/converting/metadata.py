# SPDX-License-Identifier: Apache-2.0
"""The metadata of a result: the original's own, and how its inputs are prepared.

The custom string in the file has little room, so it takes the preparation; all of it goes into the sidecar,
``x.metadata.json``. :mod:`...model.format.author_metadata` reads both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .original import Original
    from .recipe import Recipe

KEY = "preprocessing"
_CUSTOM_STRING_BYTES = 1024


def preprocessing(recipe: Recipe, original: Original) -> dict[str, Any]:
    """Return how the inputs are prepared, by input: what a program has to know that was not there."""
    return {
        port.name: {
            "layout": recipe.layout or (port.layout or "").lower(),
            "shape": list(port.shape),
            "color": recipe.color,
            "resize": recipe.resize,
            "pad": recipe.pad,
            "mean": list(recipe.mean),
            "std": list(recipe.std),
            "normalised_by": "runtime" if recipe.normalises else "nobody",
        }
        for port in original.inputs
        if port.layout
    }


def custom_string(recipe: Recipe, original: Original) -> str | None:
    """Return the text for the file; the user's own has precedence."""
    if recipe.custom_string is not None:
        return recipe.custom_string
    prepared = preprocessing(recipe, original)
    text = json.dumps({KEY: prepared}, separators=(",", ":"))
    return text if prepared and len(text.encode()) < _CUSTOM_STRING_BYTES else None


def sidecar(recipe: Recipe, original: Original) -> dict[str, Any]:
    """Return the content of the sidecar."""
    prepared = preprocessing(recipe, original)
    return {**original.metadata, **({KEY: prepared} if prepared else {})}
