"""The arrays that receive a model's outputs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import RknnTypeError, RknnValueError
from .inputs import quantization
from .node_arg import NodeArg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from .runtime.context import TensorAttribute


@dataclass(frozen=True)
class Output:
    """One output of the model."""

    attribute: TensorAttribute

    @property
    def node_arg(self) -> NodeArg:
        """This output as the user sees it."""
        attribute = self.attribute
        return NodeArg(attribute.name, list(attribute.shape), attribute.type, attribute.format, quantization(attribute))

    @property
    def want_float(self) -> bool:
        """Whether the runtime shall convert to float32: not for true integers, which float32 cannot hold exactly."""
        return self.attribute.type in ("int8", "uint8", "float16", "float32", "bfloat16")

    def allocate(self) -> npt.NDArray[Any]:
        """A new array for one inference's result."""
        return np.empty(self.attribute.shape, np.float32 if self.want_float else self.attribute.type)


def select(requested: Iterable[str] | None, names: Sequence[str]) -> list[int]:
    """The indices of the requested outputs, in the order requested; None or nothing means all.

    Raises:
        RknnValueError: a name is not one of the model's outputs.
    """
    if requested is None:
        return list(range(len(names)))
    if isinstance(requested, str):
        raise RknnTypeError(
            f"output_names takes a sequence of names, not the string {requested!r}; use [{requested!r}]"
        )
    return [_index(name, names) for name in requested] or list(range(len(names)))


def _index(name: str, names: Sequence[str]) -> int:
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(str(name), names, n=1)
    suggestion = f"did you mean {near[0]!r}?" if near else f"the outputs are {', '.join(map(repr, names))}"
    raise RknnValueError(f"the model has no output {name!r}; {suggestion}")
