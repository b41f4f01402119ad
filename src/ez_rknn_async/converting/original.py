# SPDX-License-Identifier: Apache-2.0
"""The ONNX model to convert: read, with fixed shapes, cut to the outputs that are wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, shape_inference

from ..errors import RknnModelError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

_LARGEST_MESSAGE = 2**31 - 1  # protobuf's
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Port:
    """An input or output. A dimension that is not fixed is 0."""

    name: str
    shape: tuple[int, ...]
    element_type: int

    @property
    def is_fixed(self) -> bool:
        """True if every dimension is known."""
        return 0 not in self.shape

    @property
    def is_float(self) -> bool:
        """True for real numbers."""
        return self.element_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)

    @property
    def layout(self) -> str | None:
        """The order of an image's dimensions, or None for what is no image."""
        if len(self.shape) != 4 or not self.is_float:
            return None
        if self.shape[1] in _CHANNELS and self.shape[3] not in _CHANNELS:
            return "NCHW"
        if self.shape[3] in _CHANNELS and self.shape[1] not in _CHANNELS:
            return "NHWC"
        return "NCHW" if self.shape[1] in _CHANNELS else None


class Original:
    """An ONNX model with its weights."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model

    @property
    def graph(self) -> onnx.GraphProto:
        """Its graph."""
        return self.model.graph

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs that a program has to give."""
        weights = {initializer.name for initializer in self.graph.initializer}
        return tuple(_port(value) for value in self.graph.input if value.name not in weights)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs."""
        return tuple(_port(value) for value in self.graph.output)

    @property
    def metadata(self) -> dict[str, str]:
        """What the author wrote into it."""
        return {entry.key: entry.value for entry in self.model.metadata_props}

    def save(self, path: str | PathLike[str]) -> None:
        """Write it; large weights into a file beside it."""
        large = self.model.ByteSize() > _LARGEST_MESSAGE
        onnx.save(self.model, path, save_as_external_data=large)


def _port(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    dims = tensor.shape.dim
    return Port(value.name, tuple(dim.dim_value if dim.dim_value > 0 else 0 for dim in dims), tensor.elem_type)


def read(path: str | PathLike[str]) -> Original:
    """Read an ONNX file.

    Raises:
        RknnModelError: it cannot be opened, is no ONNX file, or is damaged.
    """
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model if model.ByteSize() < _LARGEST_MESSAGE else str(path))
    except OSError as error:
        raise RknnModelError(f"the model {str(path)!r} cannot be opened: {error.strerror or error}") from error
    except onnx.checker.ValidationError as error:
        raise RknnModelError(
            f"{str(path)!r} is not a sound ONNX model: {_first_line(error)}", hint="export it again"
        ) from error
    except Exception as error:  # whatever the protobuf implementation raises
        raise RknnModelError(
            f"{str(path)!r} is not an ONNX file, or is cut short: {_first_line(error)}", hint="export it again"
        ) from error
    if not model.graph.node:
        raise RknnModelError(f"{str(path)!r} is not an ONNX file, or has no operators")
    return Original(model)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def with_shapes(original: Original, shapes: Mapping[str, Sequence[int]]) -> Original:
    """Fix the shapes of inputs; a batch that alone is open becomes 1.

    A shape may also replace a fixed one: exports often declare the size of the example they were traced with.

    Raises:
        RknnValueError: there is no such input, or the model does not work with a shape.
    """
    model = onnx.ModelProto()
    model.CopyFrom(original.model)
    ports = {port.name: port for port in original.inputs}
    unknown = sorted(set(shapes) - set(ports))
    if unknown:
        raise RknnValueError(f"the model has no input {unknown[0]!r}; it has {', '.join(ports)}")
    changed = False
    for value in model.graph.input:
        port = ports.get(value.name)
        if port is None:
            continue
        wanted = tuple(shapes.get(port.name, ())) or _with_batch_of_one(port.shape)
        _check_shape(port, wanted)
        for dim, size in zip(value.type.tensor_type.shape.dim, wanted):
            if size and dim.dim_value != size:
                changed = True
                dim.Clear()
                dim.dim_value = size
    if not changed:
        return original
    _forget_shapes(model, strict=_replaces(original, shapes))
    return Original(model)


def _replaces(original: Original, shapes: Mapping[str, Sequence[int]]) -> bool:
    return any(
        size and size != wanted
        for port in original.inputs
        for size, wanted in zip(port.shape, shapes.get(port.name, ()))
    )


def _with_batch_of_one(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape[1:]) if shape and shape[0] == 0 and 0 not in shape[1:] else shape


def _check_shape(port: Port, wanted: tuple[int, ...]) -> None:
    if len(wanted) != len(port.shape):
        raise RknnValueError(
            f"input {port.name!r} cannot have the shape {written(wanted)}: in the model it has {len(port.shape)} "
            f"dimensions, {written(port.shape)}"
        )


def _forget_shapes(model: onnx.ModelProto, *, strict: bool) -> None:
    """Infer the shapes in between again: those of the model were for open dimensions."""
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    if model.ByteSize() >= _LARGEST_MESSAGE:
        return
    try:
        model.CopyFrom(shape_inference.infer_shapes(model, strict_mode=strict))
    except shape_inference.InferenceError as error:
        raise RknnValueError(f"the model does not work with these shapes: {_first_line(error)}") from error


def cut(original: Original, outputs: Sequence[str]) -> Original:
    """Return the part of the model that computes these tensors, which become its outputs, in this order.

    Raises:
        RknnValueError: nothing computes one of them.
    """
    makers = {name: node for node in original.graph.node for name in node.output if name}
    for name in outputs:
        if name not in makers:
            raise RknnValueError(f"no operator of the model computes {name!r}; look for the tensor's name in Netron")
    needed: set[int] = set()
    wanted = list(outputs)
    while wanted:
        node = makers.get(wanted.pop())
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            wanted.extend(_reads(node))
    model = onnx.ModelProto()
    model.CopyFrom(original.model)
    kept = [node for node in original.graph.node if id(node) in needed]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    read_names = {name for node in kept for name in _reads(node)}
    for field in (model.graph.initializer, model.graph.input):
        for index in reversed(range(len(field))):
            if field[index].name not in read_names:
                del field[index]
    types = _types(original)
    del model.graph.output[:]
    model.graph.output.extend(types.get(name) or onnx.ValueInfoProto(name=name) for name in outputs)
    return Original(model)


def _reads(node: onnx.NodeProto) -> list[str]:
    """Return what a node reads, in its subgraphs too."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names += [name for inner in graph.node for name in _reads(inner)]
    return names


def _types(original: Original) -> dict[str, onnx.ValueInfoProto]:
    model = original.model
    if model.ByteSize() < _LARGEST_MESSAGE:
        model = shape_inference.infer_shapes(model)
    return {value.name: value for value in (*model.graph.value_info, *model.graph.output)}


def written(shape: Sequence[int]) -> str:
    """Return a shape as it is given on the command line.

    >>> written((1, 3, 0, 0))
    '1x3x?x?'
    """
    return "x".join(str(size) if size else "?" for size in shape)


def elements(shape: Sequence[int]) -> int:
    """Return the number of elements."""
    return math.prod(shape)


def initializer_values(graph: onnx.GraphProto) -> dict[str, Any]:
    """Return small constants by name: of initializers and Constant nodes, up to 64 elements."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            tensors.update((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")
    return {
        name: onnx.numpy_helper.to_array(tensor)
        for name, tensor in tensors.items()
        if elements(tensor.dims) <= 64 and tensor.data_location != TensorProto.EXTERNAL
    }
