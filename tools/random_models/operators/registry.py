"""The families of operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Union

if TYPE_CHECKING:
    from ..draft import Draft

    Build = Callable[[Draft], Union[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Family:
    """One line of the lottery: ``build`` makes an operator and returns what it computes."""

    name: str
    build: Build
    since: int  # the opset that has it


FAMILIES: list[Family] = []


def operator(since: int = 12) -> Callable[[Build], Build]:
    """Registers a family, which has been there ``since`` that opset; its name is the function's."""

    def register(build: Build) -> Build:
        FAMILIES.append(Family(build.__name__, build, since))
        return build

    return register
