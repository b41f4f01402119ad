"""Which function lowers which operator.

An operator is known by the name in the file, or by the beginning of a name where the compiler appends what it has
fused: ``@lowers("Conv*")`` takes ``ConvAddRelu`` too. The longest beginning wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from ...model.format.graph import Node
    from .builder import GraphBuilder

    Lowering = Callable[[Node, GraphBuilder], None]

_exact: dict[str, Lowering] = {}
_families: dict[str, Lowering] = {}  # by the beginning of the name


def lowers(*operators: str) -> Callable[[Lowering], Lowering]:
    """Registers a lowering function for operator names; a name ending in ``*`` stands for a family."""

    def register(function: Lowering) -> Lowering:
        for operator in operators:
            table, name = (_families, operator[:-1]) if operator.endswith("*") else (_exact, operator)
            if name in table:
                raise ValueError(f"{operator} is lowered twice: by {table[name].__name__} and {function.__name__}")
            table[name] = function
        return function

    return register


def lowering_of(operator: str) -> Lowering | None:
    """The function that lowers ``operator``, or None if there is none."""
    if operator in _exact:
        return _exact[operator]
    beginnings = (name for name in _families if operator.startswith(name))
    family = max(beginnings, key=len, default=None)
    return None if family is None else _families[family]


def known_operators() -> tuple[str, ...]:
    """The names that :func:`lowering_of` knows, and the beginnings of names."""
    return (*_exact, *_families)
