# SPDX-License-Identifier: Apache-2.0
"""The description of a trained model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]
    Samples = Callable[["Assets"], Sequence[Arrays]]
    Agreement = Callable[[Arrays, Arrays], bool]


@dataclass(frozen=True)
class Package:
    """A package of a registry, by name and version; ``registry`` is ``pypi``, ``npm`` or ``debian``."""

    registry: str
    name: str
    version: str

    @property
    def folder(self) -> str:
        """The name of the folder that it is unpacked into."""
        return f"{self.registry}-{self.name.replace('/', '-').lstrip('@')}-{self.version}"


@dataclass(frozen=True)
class Assets:
    """The unpacked packages."""

    root: Path

    def path(self, package: Package, inside: str) -> Path:
        """Return the path of one file of a package."""
        return self.root / package.folder / inside


@dataclass(frozen=True)
class RealModel:
    """A trained model, its inputs and the meaning of its outputs.

    Attributes:
        name: short, unique.
        kind: what it is for; the table is ordered by it.
        package: where it comes from.
        path: of the ONNX file inside.
        shapes: of each input that is fed, in the model's order.
        samples: makes eight inputs, of which the first three are compared and the others calibrate.
        same: whether two lists of outputs mean the same: boxes, text, class.
        task: the name of what ``same`` compares.
        pinned: values of inputs that become constants, by name; True: all ones.
        also: other packages that ``samples`` reads.
    """

    name: str
    kind: str
    package: Package
    path: str
    shapes: Mapping[str, Sequence[int]]
    samples: Samples
    same: Agreement
    task: str
    pinned: Mapping[str, Any] = field(default_factory=dict)
    also: Sequence[Package] = ()
