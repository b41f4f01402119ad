# SPDX-License-Identifier: Apache-2.0
"""The committed models with the official simulator's recorded results (``tests/data``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parent.parent / "data"
# They are there to be refused, each for a reason in the manifest.
TO_BE_REFUSED = ("without_weights", "compressed", "mini", "gru_clip", "capped_fp16")
# Executed with the help of the host, which has tests of its own.
CUSTOM = ("custom_operator", "custom_blend")


@dataclass(frozen=True)
class Recording:
    """One model of ``tests/data``."""

    entry: dict[str, Any]  # of the manifest

    @property
    def name(self) -> str:
        return str(self.entry["name"])

    @property
    def path(self) -> Path:
        return DATA / str(self.entry["file"])

    @property
    def cosine(self) -> float:
        """The required cosine."""
        return 0.9999 if self.entry["precision"] == "fp16" else 0.999

    def cases(self) -> list[tuple[list[NDArray[Any]], list[NDArray[Any]]]]:
        """Yield the inputs and outputs of each call."""
        with np.load(DATA / self.entry["recording"]) as stored:
            return [
                (_numbered(stored, f"case{case}_input"), _numbered(stored, f"case{case}_output"))
                for case in range(self.entry["cases"])
            ]


def _numbered(stored: Any, stem: str) -> list[NDArray[Any]]:
    return [stored[f"{stem}{place}"] for place in range(sum(name.startswith(stem) for name in stored.files))]


def recordings() -> list[Recording]:
    """Return all recordings, also those of models to be refused."""
    return [Recording(entry) for entry in json.loads((DATA / "manifest.json").read_text())["models"]]


def executable() -> list[Recording]:
    """Return the recordings that the simulated NPU executes without help."""
    return [one for one in recordings() if not one.name.startswith((*TO_BE_REFUSED, *CUSTOM))]


def recording(name: str) -> Recording:
    """Return the recording of that name."""
    return next(one for one in recordings() if one.name == name)
