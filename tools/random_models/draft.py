# SPDX-License-Identifier: Apache-2.0
"""A model under construction: a graph, and the random source of its decisions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from graph_writer import GraphWriter
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Choice = TypeVar("Choice")

Shape = tuple[int, ...]

OPSETS = (12, 13, 14, 15, 16, 17, 18, 19)
LARGEST = 3000  # elements of an operator's input: enough for every form, small enough to compile in seconds


@dataclass(frozen=True)
class Result:
    """A tensor of the graph; the shape is inferred."""

    name: str
    shape: Shape
    dtype: int


class Draft(GraphWriter):
    """A graph whose random decisions all come from here or from :attr:`random`, so that a seed makes one model.

    Operators are written in the form of the graph's opset where forms differ.
    """

    def __init__(self, name: str, source: random.Random, opset: int | None = None) -> None:
        super().__init__(name, source.choice(OPSETS) if opset is None else opset)
        self.random = source
        self.alpha = self.choice((1.0, self.number(0.3, 1.5)))  # of every ELU
        self._known: dict[str, Result] = {}

    # Decisions

    def choice(self, choices: Sequence[Choice]) -> Choice:
        """Choose one of several."""
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.random.random() < probability

    def integer(self, least: int, largest: int) -> int:
        """Draw an integer, both ends included."""
        return self.random.randint(least, largest)

    def number(self, least: float, largest: float) -> float:
        """Draw any number between the two."""
        return self.random.uniform(least, largest)

    def channels(self, largest: int = 200) -> int:
        """Draw a number of channels, small ones as often as large ones: they meet other blocks of the layouts."""
        return min(self.choice((self.integer(1, 9), self.integer(8, 40), self.integer(30, largest))), largest)

    def shape(self, *ranks: int, least: int = 1) -> Shape:
        """Draw a shape of one of these ranks; the first dimension is 1, except of vectors and, at times, of others."""
        rank = self.choice(ranks)
        if rank == 1:
            return (self.integer(max(2, least), 60),)
        batch = self.integer(2, 4) if self.chance(0.1) else 1
        shape = (batch, *(self.integer(least, 24) for _ in range(rank - 1)))
        while np.prod(shape) > LARGEST:
            shape = (batch, *(max(least, extent * 2 // 3) for extent in shape[1:]))
        return shape

    def axis(self, x: str, first: int = 1) -> int:
        """Draw an axis of a tensor from ``first`` on, counted from the front or from the back."""
        rank = len(self.of(x).shape)
        axis = self.integer(min(first, rank - 1), rank - 1)
        return axis - rank if self.chance(0.3) else axis

    # Tensors

    def of(self, x: str) -> Result:
        """Return shape and element type of a tensor, as ONNX infers them."""
        if x in self._known:
            return self._known[x]
        model = self._inferred([helper.make_empty_tensor_value_info(x)])
        values = (*model.graph.output, *model.graph.input, *model.graph.value_info)
        known = next(value for value in values if value.name == x and value.type.tensor_type.elem_type)
        tensor = known.type.tensor_type
        return Result(x, tuple(dim.dim_value for dim in tensor.shape.dim), tensor.elem_type)

    def like(self, x: str, known: Result) -> str:
        """Declare ``x``, whose shape ONNX cannot infer, to be like another tensor."""
        self._known[x] = known
        return x

    def source(self, shape: Shape) -> str:
        """Add an operand: an input of the graph or, in a third of the cases that allow it, a convolution."""
        x = self.input(f"x{len(self._inputs)}", shape)
        if len(shape) == 4 and self.chance(0.33):
            x = self.convolution(x, shape[1])
            return self.op("Relu", x) if self.chance(0.3) else x
        return x

    def operand(self, shape: Shape, positive: bool = False) -> str:
        """Add a second operand: a constant as often as another input."""
        if shape and self.chance(0.5):
            return self.positive(self.source(shape)) if positive else self.source(shape)
        return self.magnitudes(*shape) if positive else self.normal(*shape)

    def positive(self, x: str, least: float = 0.5) -> str:
        """Return a tensor from ``least`` up."""
        return self.op("Add", self.op("Abs", x), self.floats(least))

    def floats(self, value: ArrayLike) -> str:
        """Add a float32 constant."""
        return self.constant(np.array(value, np.float32))

    def ints(self, *values: int) -> str:
        """Add an int64 constant of one dimension."""
        return self.constant(np.array(values, np.int64))

    def normal(self, *shape: int, spread: float = 1.0, mean: float = 0.0) -> str:
        """Add a constant of normally distributed numbers."""
        return self.floats(self._random.standard_normal(shape) * spread + mean)

    def numbers(self, *shape: int) -> NDArray[np.float64]:
        """Draw numbers from 0 to below 1, for a constant that is not normally distributed."""
        return self._random.random(shape)

    def magnitudes(self, *shape: int) -> str:
        """Add a constant of numbers from 0.5 up."""
        return self.floats(np.abs(self._random.standard_normal(shape)) + 0.5)

    def integers(self, end: int, *shape: int) -> str:
        """Add an int64 constant of numbers from 0 to below ``end``."""
        return self.constant(self._random.integers(0, end, shape))

    def mask(self, *shape: int) -> str:
        """Add a constant of truth values."""
        return self.constant(self._random.random(shape) < 0.5)

    # Operators that many families need

    def convolution(self, x: str, channels: int, kernel: int | None = None) -> str:
        """Add a plain convolution with bias, in 1 or 2 dimensions, that keeps the size; kernel 1, 3 or 5 by default."""
        inputs, space = self.of(x).shape[1], len(self.of(x).shape) - 2
        size = kernel or self.choice((1, 3, 5))
        weight = self.weight(channels, inputs, *[size] * space, fan_in=inputs * size**space)
        attributes: dict[str, Any] = {"kernel_shape": [size] * space, "pads": [size // 2] * 2 * space}
        return self.op("Conv", x, weight, self.normal(channels, spread=0.3), **attributes)

    def product(self, x: str, outputs: int, bias: bool = True) -> str:
        """Add a matrix product with a constant: [..., inputs] to [..., outputs]."""
        inputs = self.of(x).shape[-1]
        y = self.op("MatMul", x, self.weight(inputs, outputs, fan_in=inputs))
        return self.op("Add", y, self.normal(outputs, spread=0.2)) if bias else y

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape to a constant shape."""
        return self.op("Reshape", x, self.ints(*shape))

    def swapped(self, x: str, *perm: int) -> str:
        """Permute the axes."""
        return self.op("Transpose", x, perm=list(perm))

    def reduced(self, kind: str, x: str, axes: Sequence[int] | None, keep: bool = True) -> str:
        """Add a reduction; its axes have been an operand since opset 13 or 18, and an attribute before."""
        since = 13 if kind == "ReduceSum" else 18
        if axes is None:
            return self.op(kind, x, keepdims=int(keep))
        if self.opset >= since:
            return self.op(kind, x, self.ints(*axes), keepdims=int(keep))
        return self.op(kind, x, axes=list(axes), keepdims=int(keep))

    def with_axes(self, kind: str, x: str, *axes: int) -> str:
        """Squeeze or unsqueeze; the axes have been an operand since opset 13."""
        return self.op(kind, x, self.ints(*axes)) if self.opset >= 13 else self.op(kind, x, axes=list(axes))

    def parts(self, x: str, axis: int, sizes: Sequence[int]) -> tuple[str, ...]:
        """Split; the sizes have been an operand since opset 13."""
        if self.opset >= 13:
            return self.ops("Split", len(sizes), x, self.ints(*sizes), axis=axis)
        return self.ops("Split", len(sizes), x, axis=axis, split=list(sizes))

    def finish(self, *results: str, convolved: bool = False) -> None:
        """Make these tensors the graph's outputs; ``convolved``: images after a convolution."""
        for place, x in enumerate(results):
            known = self.of(x)
            if convolved and len(known.shape) == 4 and known.dtype == TensorProto.FLOAT:
                x = self.convolution(x, self.channels(40))
            self.output("y" if len(results) == 1 else f"y{place}", x, known.dtype)
