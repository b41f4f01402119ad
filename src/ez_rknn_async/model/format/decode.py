# SPDX-License-Identifier: Apache-2.0
"""Decoding of the file's tables into the values of :mod:`~ez_rknn_async.model.format.graph`, with all checks.

Its results need no further checks: indices are in range, shapes are not negative and their products fit 31 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import bson
from .execution_order import check_execution_order
from .graph import DUMMY, ChannelQuantization, DType, Graph, Kind, Layout, Node, Preprocessing, Tensor
from .operands import check_operands
from .ports import ELEMENT_SIZES, check_ports
from .schema import UNKNOWN_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .flatbuffer import Reader, TableType

_MAX_ELEMENTS = 2**31 - 1
_MAX_NATIVE_RANK = 5  # NC1HWC2
_SMALLEST_STD = 1.0000000031710769e-30  # in float32, as the file has them
_UNUSED = -1
_LONGEST_OPERATOR = 255  # characters; fused operators are concatenated; the longest name seen has 25
# An intermediate tensor may take this many times the memory that the file plans, and always the spare memory.
_MEMORY_FACTOR = 4
_SPARE_MEMORY = 1024 * 1024  # bytes
_NPU = 2  # Node field 3; 0: CPU

# The types of BSON values by the compiler's names; two letters are a list. Others are not checked.
_BSON_TYPES = {"i": (int,), "f": (float, int), "s": (str,), "is": (int,), "fs": (float, int), "ss": (str,)}


@dataclass(frozen=True)
class Surroundings:
    """The context of each graph in its file."""

    buffers: int  # the number that the model has
    parameters: Mapping[int, TableType]  # of its operators, by type number
    batch: int  # runs of a graph for one call
    internal: int  # bytes of memory for intermediate tensors


def decode_graph(reader: Reader, table: dict[str, Any], file: Surroundings) -> Graph:
    """Decode the graph in ``table``, in the context ``file``."""
    tensors = tuple(_tensor(reader, index, entry, file.buffers) for index, entry in enumerate(table["tensors"]))
    entries = _without_blank_end(table["nodes"])
    nodes = tuple(_node(reader, index, entry, len(tensors), file.parameters) for index, entry in enumerate(entries))
    check_execution_order(reader, nodes, [entry["@"] for entry in entries])
    inputs = _indices(reader, table, "inputs", len(tensors))
    preprocessing = tuple(
        _preprocessing(reader, entry, tensors[index]) for entry, index in zip(table["preprocessing"], inputs)
    )
    graph = Graph(
        tensors=tensors,
        nodes=nodes,
        inputs=inputs,
        outputs=_indices(reader, table, "outputs", len(tensors)),
        preprocessing=preprocessing + (None,) * (len(inputs) - len(preprocessing)),
        core_modes=_core_modes(nodes),
    )
    positions = tuple(entry["@"] for entry in table["tensors"])
    check_ports(reader, graph, table["@"], positions, file.batch)
    check_operands(reader, graph, [entry["@"] for entry in entries])
    _check_memory(reader, graph, positions, file.internal)
    return graph


def _without_blank_end(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop a last node that is empty: RK3562 and RK3566 files have it if all runs on the CPU."""
    if entries and not (entries[-1]["op"] or entries[-1]["inputs"] or entries[-1]["outputs"]):
        return entries[:-1]
    return entries


def _tensor(reader: Reader, index: int, table: dict[str, Any], buffers: int) -> Tensor:
    where = table["@"]
    shape, native = table["shape"], table["native_shape"]
    _check_sizes(reader, table, shape)
    # That of a packed weight is several block sizes in a row; unpacking compares them with the data.
    _check_sizes(reader, table, native if len(native) <= _MAX_NATIVE_RANK else (min(native),))
    if table["buffer"] >= max(buffers, 1):
        reader.fail(where, f"tensor {table['name']!r} names buffer {table['buffer']} of {buffers}")
    return Tensor(
        index=index,
        name=table["name"],
        dtype=DType(table["dtype"]),
        layout=Layout(table["layout"]),
        kind=Kind(table["kind"]),
        shape=table["shape"],
        native_shape=table["native_shape"],
        quantization=_quantization(reader, table),
        size=table["size"],
        buffer=table["buffer"],
    )


def _check_sizes(reader: Reader, table: dict[str, Any], dims: tuple[int, ...]) -> None:
    if dims and min(dims) < 0:
        reader.fail(table["@"], f"tensor {table['name']!r} has a negative size in {list(dims)}")
    # An empty tensor is legal, but its other sizes must make sense too: numpy refuses to count 0 x 2**31 x 2**31.
    if math.prod(size or 1 for size in dims) > _MAX_ELEMENTS:
        reader.fail(table["@"], f"tensor {table['name']!r} has the impossible shape {list(dims)}")


def _check_memory(reader: Reader, graph: Graph, positions: tuple[int, ...], internal: int) -> None:
    """Refuse intermediate tensors far larger than the memory that the compiler planned for all of them.

    No plan in 700 files has a tensor of more than four fifths of it.
    """
    ports = sum(graph.tensors[index].size for index in (*graph.inputs, *graph.outputs))
    room = _MEMORY_FACTOR * (internal + ports) + _SPARE_MEMORY
    for tensor in graph.tensors:
        if tensor.kind is Kind.INTERMEDIATE and math.prod(tensor.shape) * _least_size(tensor) > room:
            reader.fail(
                positions[tensor.index],
                f"tensor {tensor.name!r} has the shape {list(tensor.shape)}, but the model only {internal} bytes "
                "for all that is intermediate",
            )


def _least_size(tensor: Tensor) -> int:
    return ELEMENT_SIZES.get(tensor.dtype, 1)


def _quantization(reader: Reader, table: dict[str, Any]) -> ChannelQuantization | None:
    scale, zero_point = table["scale"], table["zero_point"]
    if not scale:
        return None
    if not all(map(math.isfinite, scale)):
        reader.fail(table["@"], f"tensor {table['name']!r} has the impossible scale {scale[0]}")
    if len(zero_point) not in (0, len(scale)):
        reader.fail(table["@"], f"tensor {table['name']!r} has {len(scale)} scales and {len(zero_point)} zero points")
    return ChannelQuantization(scale, zero_point or (0,) * len(scale), _span(table))


def _span(table: dict[str, Any]) -> tuple[float, float] | None:
    """Return the range of the whole tensor if there is exactly one; a scale can do without."""
    ends = (*table["minimum"], *table["maximum"])
    if len(table["minimum"]) != 1 or len(ends) != 2 or not all(map(math.isfinite, ends)):
        return None
    return (ends[0], ends[1]) if ends[0] <= 0 <= ends[1] else None


def _node(reader: Reader, index: int, table: dict[str, Any], tensors: int, parameters: Mapping[int, TableType]) -> Node:
    operator = table["op"]
    inputs = _indices(reader, table, "inputs", tensors)
    outputs = _results(reader, table, tensors)
    if len(operator) > _LONGEST_OPERATOR:
        reader.fail(table["@"], f"an operator has a name of {len(operator)} characters")
    if not any(outputs) and operator != "OutputOperator":
        reader.fail(table["@"], f"the results of operator {operator!r} are unused")
    if len(inputs) < _least_inputs(operator) or (not outputs and operator != "OutputOperator"):
        reader.fail(table["@"], f"operator {operator!r} has {len(inputs)} inputs and {len(outputs)} outputs")
    if min((*table["tasks"], *table["lut_tasks"], *table["work"]), default=0) < 0:
        reader.fail(table["@"], f"operator {operator!r} has a negative number of tasks")
    return Node(
        index=index,
        op=operator,
        name=table["name"],
        on_npu=table["target"] == _NPU,
        inputs=inputs,
        outputs=outputs,
        attributes=_attributes(reader, table, parameters),
        tasks=table["tasks"],
        work=table["work"],
        lut_tasks=table["lut_tasks"],
    )


def _least_inputs(operator: str) -> int:
    if operator == "InputOperator":
        return 0
    return 2 if operator.startswith("Conv") else 1  # data and weight


def _indices(reader: Reader, table: dict[str, Any], field: str, tensors: int) -> tuple[int, ...]:
    indices: tuple[int, ...] = table[field]
    if indices and not (min(indices) >= 0 and max(indices) < tensors):
        reader.fail(table["@"], f"{field} {list(indices[:8])} name tensors that do not exist: there are {tensors}")
    return indices


def _results(reader: Reader, table: dict[str, Any], tensors: int) -> tuple[int, ...]:
    """Return the tensors that a node writes; an unused result is -1 in the file and the dummy here."""
    wanted = tuple(DUMMY if index == _UNUSED else index for index in table["outputs"])
    return _indices(reader, {**table, "outputs": wanted}, "outputs", tensors)


def _attributes(reader: Reader, table: dict[str, Any], parameters: Mapping[int, TableType]) -> dict[str, Any]:
    """Return the ONNX attributes of a node: typed parameters first, then additions and repetitions in the BSON."""
    attributes: dict[str, Any] = {}
    if table["parameters"] is not None:
        values = parameters.get(table["parameters_type"], UNKNOWN_PARAMETERS).read(reader, table["parameters"])
        # The file marks an attribute that is not given by an empty text or vector.
        attributes = {name: value for name, value in values.items() if name != "@" and value not in ("", ())}
    document, offset = table["bson"]
    # An output has four numbers there, of which the first may be the length.
    if table["op"] != "OutputOperator" and bson.is_document(document):
        reader.charge(table["@"], len(document))
        reader.count(table["@"], "bytes of attributes", len(document))
        for name, entry in bson.read_document(document, offset).items():
            # A typed text or vector was checked; a typed number may be a default, and the document knows better.
            if not isinstance(attributes.get(name, 0), (str, tuple)):
                attributes[name] = _value(reader, table, name, entry)
    return attributes


def _value(reader: Reader, table: dict[str, Any], name: str, entry: Any) -> Any:
    """Return the value of an attribute in a BSON document: ``{"dtype": ..., "value": ...}``."""
    if not isinstance(entry, dict) or "value" not in entry:
        reader.fail(table["@"], f"attribute {name!r} of operator {table['op']!r} has no value")
    value, dtype = entry["value"], str(entry.get("dtype"))
    items, plural = (value, True) if isinstance(value, list) else ([value], False)
    expected = _BSON_TYPES.get(dtype)
    if expected and not (all(type(item) in expected for item in items) and plural == (len(dtype) == 2)):
        reader.fail(table["@"], f"attribute {name!r} of operator {table['op']!r} is not of type {dtype!r}")
    return tuple(value) if isinstance(value, list) else value


def _preprocessing(reader: Reader, table: dict[str, Any], tensor: Tensor) -> Preprocessing | None:
    """Return the normalisation of input ``tensor``, one value for each channel; None if there is none.

    The file has four values or more, whatever the number of channels; those past the channels mean nothing.
    """
    channels = tensor.shape[1] if len(tensor.shape) > 1 else 1
    mean, std = table["mean"][:channels], table["std"][:channels]
    if not any(mean) and all(value == 1 for value in std):
        return None
    if len(mean) != channels or len(std) != channels:
        reader.fail(table["@"], f"input {tensor.name!r} has {len(mean)} means for {channels} channels")
    if not all(map(math.isfinite, mean)) or not all(_SMALLEST_STD < abs(value) < math.inf for value in std):
        reader.fail(table["@"], f"input {tensor.name!r} has the impossible mean {mean} or standard deviation {std}")
    return Preprocessing(mean, std)


def _core_modes(nodes: tuple[Node, ...]) -> tuple[int, ...]:
    """Return the numbers of cores that the graph can run on: those that the compiler made task lists for."""
    # Entry 0: one core; 1 and 2: two cores; 3 to 5: three cores. A SoC with fewer cores has fewer entries.
    lists = [node.tasks for node in nodes]
    if not any(map(any, lists)):  # all of it runs on the CPU, so that every mode of the SoC does the same
        lists = [(1,) * len(tasks) for tasks in lists]
    two = any(any(tasks[1:3]) for tasks in lists)
    three = any(any(tasks[3:6]) for tasks in lists)
    return (1, *((2,) if two else ()), *((3,) if three else ()))
