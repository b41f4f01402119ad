# SPDX-License-Identifier: Apache-2.0
"""The ONNX graph under construction.

A lowering function asks for the *value* of a tensor, adds ONNX operators, and returns the *result* for another
tensor. The builder owns everything in between: names, weights, and the rounding of each result to the type that the
tensor has in the file. Values of float and of quantised tensors are float32 real numbers; integers and booleans are
themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ...errors import RknnModelError
from ...model.format.graph import DUMMY, DType, Kind
from ...model.operators.constants import constant, real_constant
from ...model.operators.registers import RegisterFile
from ...model.operators.unsupported import UnsupportedFormError
from .grid import constant_grid, first_grid_of, grid_of, is_real
from .layout import Layouts
from .lowered import CUSTOM_DOMAIN, CustomOperator, GraphPort, Lowered
from .nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ...model import Model
    from ...model.format.graph import Graph, Node, Tensor
    from .grid import Grid
    from .pool import Pool

OPSET = 17
IR_VERSION = 8
CONTRIBUTED = "com.microsoft"  # the domain of ONNX Runtime's own operators
# The types that ONNX's own operators round to in this opset; other roundings are spelt out.
_QUANTIZE_LINEAR = (DType.INT8, DType.UINT8)
# Sizes and other small constants are embedded; anything larger is shared with ONNX Runtime instead of copied.
EMBEDDED_BYTES = 1024
# A file's data may be used this many times, in float32, plus the spare room; real models use it five times at most.
_SHARED, _SPARE_ROOM = 16, 64 << 20
NO_FILE = "weights"  # the file name of external data, which nothing reads


class GraphBuilder:
    """A lowering of one graph of ``model``; the functions in this package add the operators.

    Without ``rounding`` results stay in float32. With ``integers`` sums of products of int8 tensors may be computed in
    integers, by operators that only ONNX Runtime has. ``pool`` holds the weights that several graphs of the model have
    in common.
    """

    def __init__(
        self, model: Model, graph: Graph, *, rounding: bool = True, integers: bool = True, pool: Pool | None = None
    ) -> None:
        self.model = model
        self.graph = graph
        self._rounding = rounding
        self._integers = integers and rounding
        self._pool = pool
        self.registers = RegisterFile(model, graph)
        self._nodes = Nodes()
        self._initializers: list[TensorProto] = []
        self._weights: dict[str, NDArray[Any]] = {}
        self._absorbed: set[int] = set()  # nodes that were lowered with the one before them
        self._custom_operators: list[CustomOperator] = []
        self._values: dict[int, str] = {}  # tensor index: name of its value
        self._grids: dict[str, Grid] = {}  # name of a value: the grid it is known to lie on
        self._halves: set[str] = set()  # names of values known to be float16 numbers
        self._bytes: dict[str, str] = {}  # name of a value: that of its integers, as uint8
        self._described: list[GraphPort] = []  # values whose shape ONNX cannot infer
        self._layouts = Layouts(self._nodes)
        self._room = _SHARED * model.stored_bytes + _SPARE_ROOM
        self._embedded: dict[tuple[str, tuple[int, ...], bytes], str] = {}  # small constants by content

    # Reading the file's graph

    def tensor(self, index: int) -> Tensor:
        """Return the tensor with that index."""
        return self.graph.tensors[index]

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the logical shape of a tensor."""
        return self.graph.tensors[index].shape

    def value(self, index: int) -> str:
        """Return the name of the tensor's value: a node's result, or a constant of the file."""
        if index not in self._values:
            self._values[index] = self.initializer(self.numbers(index))
        return self._values[index]

    def values(self, indices: Sequence[int]) -> tuple[str, ...]:
        """Return the names of several tensors' values."""
        return tuple(self.value(index) for index in indices)

    def is_constant(self, index: int) -> bool:
        """Check if the tensor's data is in the file."""
        return self.tensor(index).is_constant

    def numbers(self, index: int) -> NDArray[Any]:
        """Return the data of a constant: real numbers as float32, integers and booleans as they are.

        Raises:
            UnsupportedFormError: the tensor is no constant.
        """
        tensor = self.tensor(index)
        if not self.is_constant(index):
            raise UnsupportedFormError(f"nothing computes its operand {tensor.name!r}")
        if is_real(tensor):
            numbers = real_constant(self.model, self.graph, tensor)
            grid = constant_grid(tensor) if self._rounding else None
            return numbers if grid is None else grid.nearest(numbers)
        return constant(self.model, self.graph, tensor)

    def integers(self, index: int) -> tuple[int, ...]:
        """Return the data of a constant that holds axes, sizes or indices."""
        return tuple(int(number) for number in self.numbers(index).ravel())

    def on_grid(self, index: int) -> bool:
        """Check if the tensor's value is rounded to the grid of a quantised tensor."""
        return self._rounding and grid_of(self.tensor(index)) is not None

    def integers_of(self, index: int) -> tuple[str, Grid] | None:
        """Return the integers of a tensor's value as uint8, and their grid.

        Returns None if the value is not known to lie on the tensor's grid, or if nothing is to be computed in integers.
        """
        value, grid = self.value(index), grid_of(self.tensor(index))
        if not self._integers or grid is None or grid.dtype is not DType.INT8 or self._grids.get(value) != grid:
            return None
        if value not in self._bytes:
            self._bytes[value] = integers = self.quantized(value, grid.unsigned())
            if len(self.shape(index)) == 4:
                self._layouts.has_four_dimensions(integers)
        return self._bytes[value], grid.unsigned()

    def operands(self, node: Node) -> tuple[int, ...]:
        """Return the node's inputs without the scratch space that the compiler appends."""
        return tuple(index for index in node.inputs if not self._is_scratch(index))

    def operand(self, node: Node, place: int) -> int | None:
        """Return the tensor of an operand that may be left out; None if it is."""
        if place >= len(node.inputs):
            return None
        index = node.inputs[place]
        return None if self._is_scratch(index) or self.tensor(index).is_placeholder else index

    def _is_scratch(self, index: int) -> bool:
        if index in self._values:
            return False
        return self.tensor(index).kind == Kind.HELPER or not self.is_constant(index)

    def absorb(self, nodes: Sequence[Node]) -> None:
        """Register nodes that are lowered already, with the one before them."""
        self._absorbed.update(node.index for node in nodes)

    def is_absorbed(self, node: Node) -> bool:
        """Check if the node is lowered already."""
        return node.index in self._absorbed

    # Writing the ONNX graph

    def begin(self, name: str) -> None:
        """Attribute the operators added from now on to ``name``, a node or tensor of the file."""
        self._nodes.begin(name)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an ONNX operator with one output; return its name."""
        return self._layouts.add(operator, inputs, attributes)

    def add_many(self, operator: str, outputs: int, *inputs: str, **attributes: Any) -> tuple[str, ...]:
        """Add an ONNX operator with several outputs; return their names."""
        return self._nodes.add_many(operator, outputs, *inputs, **attributes)

    def channels_last(self, value: str) -> str:
        """Return the NHWC twin (:mod:`.layout`) of a value of four dimensions."""
        return self._layouts.last(value)

    def add_channels_last(self, operator: str, shape: Sequence[int], *inputs: str) -> str:
        """Add an operator of ONNX Runtime with a float32 result in NHWC order; return the name of its NCHW twin."""
        name = self._nodes.add(operator, *inputs, domain=CONTRIBUTED)
        self._described.append(GraphPort(name, TensorProto.FLOAT, tuple(shape)))
        return self._layouts.first(name)

    def custom(self, node: Node, operands: Mapping[int, str]) -> tuple[str, ...]:
        """Call a custom operator with values of the tensors ``operands``; return the names of its results."""
        name = self._nodes.fresh(node.op)
        inputs = tuple(self._port(index, self._nodes.fresh("operand")) for index in operands)
        outputs = tuple(self._port(index, self._nodes.fresh("result")) for index in node.outputs)
        self._custom_operators.append(CustomOperator(name, inputs, outputs))
        results = tuple(port.name for port in outputs)
        given = {key: value for key, value in node.attributes.items() if value not in ((), None)}
        self._nodes.add_named(node.op, name, [*operands.values()], results, domain=CUSTOM_DOMAIN, **given)
        return results

    def _port(self, index: int, name: str) -> GraphPort:
        """Return the tensor as a custom operator sees it."""
        tensor = self.tensor(index)
        return GraphPort(name, TensorProto.FLOAT if is_real(tensor) else int(tensor.dtype), tensor.shape)

    def initializer(self, array: NDArray[Any]) -> str:
        """Add a constant; return its name."""
        array = np.asarray(array, order="C")  # unlike ascontiguousarray, this keeps a scalar a scalar
        self._room -= array.nbytes
        if self._room < 0:
            raise RknnModelError("the model file is damaged: its layers share more data than any real model's do")
        if array.nbytes > EMBEDDED_BYTES:
            return self._weight(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._embedded:
            self._embedded[key] = name = self._nodes.fresh("constant")
            self._initializers.append(numpy_helper.from_array(array, name))
            if not array.shape:
                self._layouts.is_scalar(name)
        return self._embedded[key]

    def floats(self, *numbers: float) -> str:
        """Add a float32 constant: a scalar for one number, else a vector."""
        return self.initializer(np.array(numbers if len(numbers) != 1 else numbers[0], np.float32))

    def ints(self, numbers: Sequence[int]) -> str:
        """Add an int64 vector."""
        return self.initializer(np.array(numbers, np.int64))

    def result(self, index: int, value: str) -> None:
        """Make ``value`` a node's result for the tensor, rounded to the numbers that the tensor can hold.

        A result that nothing uses is no tensor.
        """
        if index == DUMMY:
            return
        grid = grid_of(self.tensor(index))
        if grid is not None and self._rounding and self._grids.get(value) != grid:
            first = first_grid_of(self.tensor(index))
            value = self.rounded(value if first is None else self.rounded(value, first), grid)
        elif self.tensor(index).dtype is DType.FLOAT16:
            value = self.half(value)
        self.define(index, value, grid)

    def moved(self, index: int, value: str, *sources: str) -> None:
        """Do the same for a node that only moves or selects elements of ``sources``.

        Numbers that are on the tensor's grid already need no rounding to it.
        """
        grids = {self._grids.get(source) for source in sources}
        grid = grids.pop() if len(grids) == 1 else None
        if grid is not None:
            self._grids[value] = grid
        self.keeps_half(value, *sources)
        self.result(index, value)

    def keeps_half(self, value: str, *sources: str) -> None:
        """Register that ``value`` needs no rounding to float16 if ``sources`` need none."""
        if self._halves.issuperset(sources):
            self._halves.add(value)

    def define(self, index: int, value: str, grid: Grid | None = None) -> None:
        """Make ``value`` the tensor's value without rounding; it is known to lie on ``grid``."""
        self._values[index] = value
        if len(self.shape(index)) == 4:
            self._layouts.has_four_dimensions(value)
        if grid is not None:
            self._grids[value] = grid

    def rounded(self, value: str, grid: Grid) -> str:
        """Round ``value`` to a grid, as the NPU does when it stores it between two steps of one node."""
        if not self._rounding:
            return value
        if not self._integers or grid.dtype is not DType.INT8:
            return self._nearest(value, grid)
        integers = self.quantized(value, grid.unsigned())
        real = self.dequantized(integers, grid.unsigned())
        self._bytes[real] = integers
        return real

    def quantized(self, value: str, grid: Grid) -> str:
        """Return the integers of a grid nearest to real numbers, ties to even, saturated."""
        if grid.dtype in _QUANTIZE_LINEAR:
            return self.add("QuantizeLinear", value, *self._scale_and_zero_point(grid))
        steps = self.add("Add", self._steps(value, grid), self.floats(grid.zero_point))
        return self.add("Cast", steps, to=int(grid.dtype))

    def dequantized(self, integers: str, grid: Grid) -> str:
        """Return the real numbers that the integers of a grid stand for."""
        if grid.dtype in _QUANTIZE_LINEAR:
            return self.add("DequantizeLinear", integers, *self._scale_and_zero_point(grid))
        steps = self.add("Sub", self.add("Cast", integers, to=TensorProto.FLOAT), self.floats(grid.zero_point))
        return self.add("Mul", steps, self.floats(grid.scale))

    def _nearest(self, value: str, grid: Grid) -> str:
        """Return the real numbers of a grid nearest to computed ones, as :meth:`Grid.nearest` does."""
        if grid.dtype in _QUANTIZE_LINEAR:
            return self.dequantized(self.quantized(value, grid), grid)
        return self.add("Mul", self._steps(value, grid), self.floats(grid.scale))

    def _steps(self, value: str, grid: Grid) -> str:
        low, high = grid.bounds
        steps = self.add("Round", self.add("Div", value, self.floats(grid.scale)))
        return self.add("Clip", steps, self.floats(low), self.floats(high))

    def _scale_and_zero_point(self, grid: Grid) -> tuple[str, str]:
        zero_point = self.initializer(np.array(grid.zero_point, grid.element_type))
        return self.floats(grid.scale), zero_point

    def half(self, value: str) -> str:
        """Round ``value`` to float16, as the NPU does between two operators: beyond 65504 it becomes infinite."""
        if not self._rounding or value in self._halves:
            return value
        rounded = self.add("Cast", self.add("Cast", value, to=TensorProto.FLOAT16), to=TensorProto.FLOAT)
        self._halves.add(rounded)
        return rounded

    def name(self, value: str, name: str) -> None:
        """Give a value the name of a graph output."""
        self._nodes.add_named("Identity", name, [value], [name])

    def finish(self, inputs: Sequence[GraphPort], outputs: Sequence[GraphPort]) -> Lowered:
        """Return the finished graph."""
        graph = helper.make_graph(
            self._nodes.added,
            "rknn",
            [port.value_info() for port in inputs],
            [port.value_info() for port in outputs],
            self._initializers,
            value_info=[
                port.value_info()
                for port in (*self._described, *(port for custom in self._custom_operators for port in custom.outputs))
            ],
        )
        domains = {"": OPSET, **{node.domain: 1 for node in self._nodes.added if node.domain}}
        opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return Lowered(
            model,
            self._weights,
            tuple(inputs),
            tuple(outputs),
            dict(self._values),
            tuple(self._custom_operators),
        )

    def _weight(self, array: NDArray[Any]) -> str:
        name = self._nodes.fresh("weight")
        # In memory of its own: the file is unmapped, and may change.
        array = array if array.flags.owndata else array.copy()
        self._weights[name] = array if self._pool is None else self._pool.shared(array)
        placeholder = TensorProto(name=name, data_location=TensorProto.EXTERNAL)
        placeholder.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        placeholder.dims.extend(array.shape)
        placeholder.external_data.add(key="location", value=NO_FILE)
        self._initializers.append(placeholder)
        return name
