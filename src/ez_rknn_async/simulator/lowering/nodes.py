# SPDX-License-Identifier: Apache-2.0
"""The operators of the ONNX graph under construction, and names for everything in it."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper


class Nodes:
    """Operators in the order in which they were added."""

    def __init__(self) -> None:
        self.added: list[onnx.NodeProto] = []
        self._stem = ""
        self._names = 0

    def begin(self, stem: str) -> None:
        """Begin the names of operators added from now on with ``stem``."""
        self._stem = stem

    def fresh(self, name: str) -> str:
        """Return a name that is unique here and in the file."""
        self._names += 1
        return f"{self._stem}/{name}#{self._names}"

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output; return its name."""
        return self.add_many(operator, 1, *inputs, domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any
    ) -> tuple[str, ...]:
        """Add an operator with several outputs; return their names."""
        name = self.fresh(operator)
        names = (name, *(f"{name}.{place}" for place in range(1, outputs)))
        self.add_named(operator, name, inputs, names, domain=domain, **attributes)
        return names

    def add_named(self, operator: str, name: str, inputs: Any, outputs: Any, *, domain: str = "", **given: Any) -> None:
        """Add an operator with a given name and outputs."""
        self.added.append(helper.make_node(operator, inputs, outputs, name=name, domain=domain, **given))
