# SPDX-License-Identifier: Apache-2.0
"""The signature of a model: names, shapes, element types and layouts of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._messages.wording import shown
from .._runtime.tensor_attribute import describe
from .._tensors.inputs import Input, arrange
from .._tensors.outputs import AS_THE_SESSION, Choice, Output, Receiver, nearest
from .._tensors.shapes import choose
from ..errors import RknnTypeError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._runtime.tensor_attribute import TensorAttribute
    from .._tensors.inputs import Given
    from .._tensors.node_arg import NodeArg
    from .._tensors.outputs import Allocation
    from .._tensors.shapes import ShapeSet

    Shape = tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of one model, in its order.

    Attributes:
        sets: the sets of shapes with which the model can run; the first is the one to report.
        inputs, outputs: each on its own.
        input_names, output_names: their names.
        native_outputs: True if outputs keep the element type that they have inside the NPU.
        descriptions: each set of shapes for ``rknn_set_input_shapes``; None for a model that has only one.
    """

    sets: tuple[ShapeSet, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    native_outputs: bool
    descriptions: tuple[Any, ...]
    _output_shapes: tuple[tuple[Shape, ...], ...]
    # Filled when first needed; two threads that fill it at once put in the same.
    _allocations: dict[tuple[int, Choice], list[Allocation]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, sets: Sequence[ShapeSet], layout: str, *, native_outputs: bool = False, output_layout: str = "nchw"
    ) -> Signature:
        """Describe a model.

        Args:
            sets: the sets of shapes.
            layout: the order in which the user passes images: ``"nchw"``, ``"nhwc"`` or ``"any"``.
            native_outputs: True if outputs keep the element type that they have inside the NPU.
            output_layout: the order in which the user wants images: ``"nchw"`` or ``"nhwc"``.
        """
        first = sets[0]
        return cls(
            sets=tuple(sets),
            inputs=tuple(
                Input(a, layout, _distinct([s.inputs[i].shape for s in sets])) for i, a in enumerate(first.inputs)
            ),
            outputs=tuple(Output(a, output_layout) for a in first.outputs),
            input_names=tuple(a.name for a in first.inputs),
            output_names=tuple(a.name for a in first.outputs),
            native_outputs=native_outputs,
            # Made once: every task of a dynamic model tells the runtime its shapes.
            descriptions=tuple(describe(_for_setting(s)) if len(sets) > 1 else None for s in sets),
            _output_shapes=tuple(tuple(a.shape for a in s.outputs) for s in sets),
        )

    def node_args(self) -> tuple[list[NodeArg], list[NodeArg]]:
        """Return the inputs and the outputs as the user sees them."""
        shapes = [_distinct([s.outputs[i].shape for s in self.sets]) for i in range(len(self.outputs))]
        outputs = [o.node_arg(each, native=self.native_outputs) for o, each in zip(self.outputs, shapes)]
        return [i.node_arg for i in self.inputs], outputs

    def input_shapes(self) -> list[dict[str, list[int]]]:
        """Return each legal set of input shapes, in the layout that the user chose."""
        return [{i.attribute.name: list(i.for_user(a.shape)) for i, a in zip(self.inputs, s.inputs)} for s in self.sets]

    def check(self, feed: Any) -> tuple[list[Given], int]:
        """Check a feed, and find the set of shapes that it chooses.

        Args:
            feed: ``{name: array}``, a sequence of arrays, or one array.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model.
        """
        given = list(map(Input.check, self.inputs, arrange(feed, self.input_names)))
        if len(self.sets) == 1:  # its shapes go together by themselves
            return given, 0
        return given, choose(self.sets, [g.shape for g in given], [g.order for g in given])

    def receivers(
        self, chosen: int, given: Mapping[str, Any] | None = None, choice: Choice = AS_THE_SESSION
    ) -> list[Receiver]:
        """Return arrays for the outputs of one inference; see :meth:`receivers_of`."""
        if given is not None:
            return self.receivers_of(self._output_shapes[chosen], given, choice)
        key = chosen, choice
        allocations = self._allocations.get(key)
        if allocations is None:
            allocations = self._allocations[key] = self._allocated(self._output_shapes[chosen], choice)
        # No calls, not even Receiver(...): every inference passes through here.
        receivers = []
        for shape, dtype, want_float, order in allocations:
            receivers.append(tuple.__new__(Receiver, (np.empty(shape, dtype), want_float, order)))
        return receivers

    def receivers_of(
        self, shapes: Sequence[Shape], given: Mapping[str, Any] | None = None, choice: Choice = AS_THE_SESSION
    ) -> list[Receiver]:
        """Return arrays for outputs of these shapes.

        Args:
            shapes: in the runtime's order of dimensions.
            given: arrays to receive outputs, by name; the others are allocated.
            choice: the element type and layout of the outputs.

        Raises:
            RknnValueError, RknnTypeError: the arrays do not fit the model.
        """
        given = {} if given is None else self._checked(given)
        return [
            output.receive_in(given[name], shape, choice.layout) if name in given else allocation.receiver()
            for output, name, shape, allocation in zip(
                self.outputs, self.output_names, shapes, self._allocated(shapes, choice)
            )
        ]

    def _allocated(self, shapes: Sequence[Shape], choice: Choice) -> list[Allocation]:
        native = self.native_outputs if choice.native is None else choice.native
        return [output.allocation(shape, native, choice.layout) for output, shape in zip(self.outputs, shapes)]

    def _checked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(given, Mapping):
            raise RknnTypeError(f"outputs takes a dictionary {{name: array}}, not {shown(given)}")
        for name in given:
            if name not in self.output_names:
                raise RknnValueError(nearest(name, self.output_names))
        return given


def _distinct(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    return tuple(dict.fromkeys(shapes))


def _for_setting(shapes: ShapeSet) -> list[TensorAttribute]:
    # rknn_set_input_shapes refuses NCHW with -5, but compares a shape without a layout in just that order.
    return [replace(a, format="UNDEFINED") if a.format == "NCHW" else a for a in shapes.inputs]
