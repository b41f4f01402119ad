# SPDX-License-Identifier: Apache-2.0
"""The registry of lowering functions, by operator.

An operator is known by its name in the file, or by a prefix of it if the compiler appends the names of fused functions:
``@lowers("Conv*")`` takes ``ConvAddRelu`` too. The longest prefix wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from ...model.format.graph import Node
    from .builder import GraphBuilder

    Lowering = Callable[[Node, GraphBuilder], None]

_exact: dict[str, Lowering] = {}
_families: dict[str, Lowering] = {}  # by prefix of the name


def lowers(*operators: str) -> Callable[[Lowering], Lowering]:
    """Register a lowering function for operator names; a name ending in ``*`` stands for a family."""

    def register(function: Lowering) -> Lowering:
        for operator in operators:
            table, name = (_families, operator[:-1]) if operator.endswith("*") else (_exact, operator)
            if name in table:
                raise ValueError(f"{operator} is lowered twice: by {table[name].__name__} and {function.__name__}")
            table[name] = function
        return function

    return register


def lowering_of(operator: str) -> Lowering | None:
    """Return the function that lowers ``operator``, or None if there is none."""
    if operator in _exact:
        return _exact[operator]
    prefixes = (name for name in _families if operator.startswith(name))
    family = max(prefixes, key=len, default=None)
    return None if family is None else _families[family]


def known_operators() -> tuple[str, ...]:
    """Return the names and prefixes that :func:`lowering_of` knows."""
    return (*_exact, *_families)
