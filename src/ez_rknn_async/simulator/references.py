# SPDX-License-Identifier: Apache-2.0
"""The networks of a comparison: a compiled model or its original, with every intermediate tensor as an output.

Each maps a sample to the values of tensors, by their index in the compiled graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from .._messages.wording import provider_option
from ..errors import RknnModelError
from .executable import open_session
from .lowering import lower
from .samples import normalised
from .soundness import check_soundness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from numpy.typing import NDArray

    from ..model import Graph, Model
    from .lowering import Lowered
    from .samples import Sample

    Values = Mapping[int, NDArray[Any]]


class Network(Protocol):
    """A network that computes tensors of a compiled graph."""

    def run(self, sample: Sample) -> Values:
        """Return the tensors that it knows, by index."""
        ...


class Compiled:
    """A graph of a compiled model, with the NPU's rounding or without."""

    def __init__(self, model: Model, graph_index: int, *, rounding: bool) -> None:
        lowered = lower(model, graph_index, io="float", rounding=rounding)
        check_soundness(lowered, model.graphs[graph_index])
        _check_computable(lowered, model.graphs[graph_index])
        made = _computed(lowered.skeleton.graph)
        self._values = {index: value for index, value in lowered.values.items() if value in made}
        self._ports = {model.graphs[graph_index].tensors[i].name: i for i in model.graphs[graph_index].inputs}
        self._outputs = _add_outputs(lowered.skeleton.graph, self._values.values())
        self._types = {port.name: _numpy_type(port.element_type) for port in lowered.inputs}
        self._session = open_session(lowered)

    def run(self, sample: Sample) -> Values:
        """Return every tensor that a node computes, and the inputs as the first layer sees them."""
        feed = {name: sample[name].astype(dtype) for name, dtype in self._types.items()}
        results = dict(zip(self._outputs, self._session.run(list(self._outputs), feed)))
        # An input that needs no conversion is the output of no operator.
        given: dict[int, NDArray[Any]] = {index: sample[name] for name, index in self._ports.items()}
        return {**given, **{index: results[value] for index, value in self._values.items()}}


def _check_computable(lowered: Lowered, graph: Graph) -> None:
    if lowered.custom_operators:
        operators = sorted({node.op for node in graph.nodes if node.is_custom})
        raise RknnModelError(
            f"the model has custom operators ({', '.join(operators)}), which only their plug-ins can compute",
            hint=f"compare the outputs of a session that has the plug-ins ({provider_option('custom_op_path')}) with "
            "those of the original model",
        )


class Original:
    """The model that was compiled; its tensors are known by their names, which the compiler keeps.

    Raises:
        RknnModelError: the file cannot be read, or its inputs are not those of the compiled graph.
    """

    def __init__(self, path: str | PathLike[str], graph: Graph) -> None:
        self._graph = graph
        model = _read(path)
        self._values = self._matches(model.graph)
        self._outputs = _add_outputs(model.graph, self._values.values())
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._inputs = self._match_inputs(path)

    def run(self, sample: Sample) -> Values:
        """Return every tensor that the compiled graph has too, and the normalised inputs."""
        given = {index: normalised(sample[self._name(index)], before) for index, before, _ in self._inputs}
        feed: dict[str, NDArray[Any]] = {
            spec.name: _reshaped(given[index], spec.shape).astype(_TYPES.get(spec.type, np.float32))
            for index, _, spec in self._inputs
        }
        results = dict(zip(self._outputs, self._session.run(list(self._outputs), feed)))
        return {**given, **{index: results[value] for index, value in self._values.items()}}

    def _name(self, index: int) -> str:
        return self._graph.tensors[index].name

    def _matches(self, original: onnx.GraphProto) -> dict[int, str]:
        """Match tensors by name; outputs whose names are unknown, by their place."""
        made = _computed(original)
        computed = {index for node in self._graph.nodes for index in node.outputs} - set(self._graph.inputs)
        matches = {index: self._name(index) for index in sorted(computed) if self._name(index) in made}
        if len(self._graph.outputs) == len(original.output):
            for index, output in zip(self._graph.outputs, original.output):
                matches.setdefault(index, output.name)
        return matches

    def _match_inputs(self, path: str | PathLike[str]) -> list[tuple[int, Any, Any]]:
        specs = {spec.name: spec for spec in self._session.get_inputs()}
        names = [self._name(index) for index in self._graph.inputs]
        if len(specs) != len(names):
            raise RknnModelError(
                f"{path} has the inputs {', '.join(specs)}, and the compiled model {', '.join(names)}",
                hint="give the ONNX file that the model was compiled from",
            )
        by_place = list(specs.values())
        return [
            (index, preprocessing, specs.get(name, by_place[place]))
            for place, (index, name, preprocessing) in enumerate(
                zip(self._graph.inputs, names, self._graph.preprocessing)
            )
        ]


_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


def _read(path: str | PathLike[str]) -> onnx.ModelProto:
    try:
        model = onnx.load(path)
    except OSError as error:
        raise RknnModelError(f"the original model {str(path)!r} cannot be opened: {error.strerror}") from error
    except Exception as error:  # whatever the protobuf implementation raises
        raise RknnModelError(f"the original model {str(path)!r} is not an ONNX file: {error}") from error
    if not model.graph.node:
        raise RknnModelError(f"the original model {str(path)!r} is not an ONNX file, or has no operators")
    return model


def _computed(graph: onnx.GraphProto) -> set[str]:
    return {name for node in graph.node for name in node.output if name}


def _add_outputs(graph: onnx.GraphProto, names: Iterable[str]) -> tuple[str, ...]:
    """Make the values outputs of the graph; return all that were asked for, once each."""
    wanted = tuple(dict.fromkeys(names))
    present = {output.name for output in graph.output}
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in present)
    return wanted


def _reshaped(values: NDArray[Any], shape: list[Any]) -> NDArray[Any]:
    """Reshape an input to the original's dimensions, to which the compiler may have added."""
    fixed = [size for size in shape if isinstance(size, int)]
    if len(fixed) == len(shape) and int(np.prod(fixed)) == values.size:
        return values.reshape(shape)
    return values


def _numpy_type(element_type: int) -> np.dtype[Any]:
    return helper.tensor_dtype_to_np_dtype(element_type)
