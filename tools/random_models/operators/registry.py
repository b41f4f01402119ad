# SPDX-License-Identifier: Apache-2.0
"""The families of operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Union

if TYPE_CHECKING:
    from ..draft import Draft

    Build = Callable[[Draft], Union[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Family:
    """A family of operators: ``build`` adds one and returns its results."""

    name: str
    build: Build
    since: int  # the first opset that has it


FAMILIES: list[Family] = []


def operator(since: int = 12) -> Callable[[Build], Build]:
    """Register a family that exists ``since`` that opset; its name is the function's."""

    def register(build: Build) -> Build:
        FAMILIES.append(Family(build.__name__, build, since))
        return build

    return register
