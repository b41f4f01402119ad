"""Makes ``tests/data``: small models compiled by the official compiler, with what its simulator computes.

Run it with a Python that has ``rknn-toolkit2`` (x86-64 Linux; ``tests/data/README.md`` says how to get one)::

    python tools/make_test_models.py               # everything
    python tools/make_test_models.py vector_int8   # some, by name

The graphs and the inputs are seeded and the same every time. The compiled files are not identical byte for byte: the
compiler leaves garbage in their padding.
"""

from __future__ import annotations

import json
import sys
import zlib
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import test_graphs as graphs
from official_compiler import Recipe, compile_model
from onnx import TensorProto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import onnx
    from numpy.typing import NDArray

DATA = Path(__file__).parents[1] / "tests" / "data"
CALIBRATION_SAMPLES = 8


class DoubleOperator:
    """The custom operator of ``custom_operator``, as the compiler wants it described."""

    op_type = "cstDouble"

    def shape_infer(self, node: Any, in_shapes: Any, in_dtypes: Any) -> tuple[Any, Any]:
        """Same shape and type as the input."""
        return in_shapes.copy(), in_dtypes.copy()

    def compute(self, node: Any, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Twice the input."""
        return [inputs[0] * 2]


@dataclass(frozen=True)
class Entry:
    """One compiled file: a graph and the compiler's options. ``int8`` asks for quantisation."""

    name: str
    graph: Callable[[], onnx.ModelProto]
    int8: bool = False
    target: str = "rk3588"
    config: dict[str, Any] = field(default_factory=dict)
    batch: int = 1
    custom_operators: tuple[Any, ...] = ()
    note: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """What went into the compiler's ``build``."""
        options: dict[str, Any] = {"do_quantization": True} if self.int8 else {}
        return {**options, "rknn_batch_size": self.batch} if self.batch > 1 else options


def both(name: str, graph: Callable[[], onnx.ModelProto], **fields: Any) -> list[Entry]:
    """The same graph in fp16 and int8."""
    return [Entry(f"{name}_fp16", graph, **fields), Entry(f"{name}_int8", graph, int8=True, **fields)]


PER_CHANNEL = {"mean_values": [[123.675, 116.28, 103.53]], "std_values": [[58.395, 57.12, 57.375]]}
SMALLER = {"single_core_mode": True}  # leaves out the command lists for two and three cores
DYNAMIC_SHAPES = [[[1, 3, 8, 8]], [[1, 3, 12, 12]], [[1, 3, 16, 16]]]

ENTRIES: tuple[Entry, ...] = (
    *both("tiny_conv", graphs.tiny_conv),
    *both("conv_c1", lambda: graphs.tiny_conv(1)),
    *both("conv_c4", lambda: graphs.tiny_conv(4)),
    *both("conv_c5", lambda: graphs.tiny_conv(5)),
    *both("conv_c16", lambda: graphs.tiny_conv(16)),
    *both("odd_size", lambda: graphs.tiny_conv(3, size=7), note="7 x 7: surfaces are padded to four pixels"),
    *both("two_inputs", graphs.two_inputs),
    *both("vector", graphs.vector),
    *both("sequence", graphs.sequence),
    *both("residual", graphs.residual),
    *both("block", graphs.block),
    *both("activations", graphs.activations, config=SMALLER),
    *both("reshapes", graphs.reshapes, config=SMALLER),
    *both("mean_std", graphs.tiny_conv, config=PER_CHANNEL, note="raw inputs are images, 0 to 255"),
    *both("batch4", graphs.tiny_conv, batch=4),
    Entry("tokens_fp16", graphs.tokens, config=SMALLER, note="int64 input"),
    Entry(
        "dynamic_fp16",
        graphs.tiny_conv,
        config={"dynamic_input": DYNAMIC_SHAPES},
        note="one case for each of the shapes",
    ),
    Entry("single_core_int8", graphs.tiny_conv, int8=True, config=SMALLER),
    Entry("per_layer_int8", graphs.tiny_conv, int8=True, config={"quantized_method": "layer"}),
    Entry("custom_string_fp16", graphs.vector, config={**SMALLER, "custom_string": '{"labels": ["zero", "one"]}'}),
    *both("rk3566_block", graphs.block, target="rk3566"),
    *both("rk3576_block", graphs.block, target="rk3576"),
    Entry("rk3562_conv_int8", graphs.tiny_conv, int8=True, target="rk3562"),
    Entry(
        "custom_operator_fp16",
        graphs.custom_operator,
        custom_operators=(DoubleOperator(),),
        note="cannot be executed without its author's plug-in",
    ),
    Entry(
        "without_weights_fp16",
        graphs.tiny_conv,
        config={"remove_weight": True},
        note="weights left out: needs tiny_conv_fp16; the outputs are those of the model with its weights",
    ),
    Entry(
        "compressed_int8",
        graphs.wide_conv,
        int8=True,
        config={**SMALLER, "compress_weight": True},
        note="entropy-coded weights",
    ),
    Entry(
        "mini_int8", graphs.tiny_conv, int8=True, config={"mini_rknn": True}, note="another container, version 0x1004"
    ),
    Entry("snippet", graphs.snippet, int8=True, note="the documentation's model.rknn"),
)


def main(names: Sequence[str]) -> None:
    """Makes the models called ``names``, or all, and rewrites the manifest."""
    unknown = set(names) - {entry.name for entry in ENTRIES}
    if unknown:
        raise SystemExit(f"no such model: {', '.join(sorted(unknown))}")
    DATA.mkdir(parents=True, exist_ok=True)
    made = {entry.name: make(entry) for entry in ENTRIES if not names or entry.name in names}
    write_manifest(made)


def make(entry: Entry) -> dict[str, Any]:
    """Compiles one model, records the official simulator's outputs, returns the manifest's entry."""
    model = entry.graph()
    cases = [inputs_for(entry, shapes, case) for case, shapes in enumerate(case_shapes(entry, model))]
    calibration = [
        inputs_for(entry, graph_shapes(model), 1000 + sample, batch=1) for sample in range(CALIBRATION_SAMPLES)
    ]
    recipe = Recipe(
        {"target_platform": entry.target, **entry.config}, entry.options, entry.custom_operators, calibration
    )
    outputs = compile_model(model, recipe, DATA / f"{entry.name}.rknn", cases)
    record(DATA / f"{entry.name}.npz", cases, outputs)
    return describe(entry, model, outputs)


def graph_shapes(model: onnx.ModelProto) -> list[tuple[list[int], int]]:
    """Shape and ONNX element type of every input."""
    types = [value.type.tensor_type for value in model.graph.input]
    return [([dim.dim_value for dim in tensor.shape.dim], tensor.elem_type) for tensor in types]


def case_shapes(entry: Entry, model: onnx.ModelProto) -> Iterable[list[tuple[list[int], int]]]:
    """The input shapes to record outputs for: each legal set of a dynamic model, otherwise the graph's."""
    fixed = graph_shapes(model)
    for shapes in entry.config.get("dynamic_input", [[shape for shape, _ in fixed]]):
        yield [(shape, dtype) for shape, (_, dtype) in zip(shapes, fixed)]


def inputs_for(
    entry: Entry, shapes: Sequence[tuple[list[int], int]], seed: int, batch: int | None = None
) -> list[NDArray[Any]]:
    """Random inputs: token ids, image values where the model subtracts a mean, otherwise a normal distribution."""
    random = np.random.default_rng([zlib.crc32(entry.name.encode()), seed])
    arrays: list[NDArray[Any]] = []
    for shape, dtype in shapes:
        size = [(batch or entry.batch) * shape[0], *shape[1:]]
        if dtype == TensorProto.INT64:
            arrays.append(random.integers(0, 20, size))
        elif "mean_values" in entry.config:
            arrays.append(random.integers(0, 256, size).astype(np.float32))
        else:
            arrays.append(noise(random, size))
    return arrays


def noise(random: np.random.Generator, size: Sequence[int]) -> NDArray[np.float32]:
    """Normally distributed values; on a large image, squares of one value each, so that the recording stays small."""
    square = 14 if size[-1] > 64 else 1
    coarse = random.standard_normal([*size[:-2], *(-(-extent // square) for extent in size[-2:])])
    fine = coarse.repeat(square, axis=-1)
    fine = fine.repeat(square, axis=-2) if len(size) > 2 else fine
    return fine.astype(np.float32)


def record(path: Path, cases: Sequence[Sequence[NDArray[Any]]], outputs: Sequence[Sequence[NDArray[Any]]]) -> None:
    """Writes ``case<i>_input<j>`` and ``case<i>_output<j>`` for every case."""
    arrays = {}
    for kind, recorded in (("input", cases), ("output", outputs)):
        for case, values in enumerate(recorded):
            arrays.update({f"case{case}_{kind}{index}": value for index, value in enumerate(values)})
    np.savez_compressed(path, **arrays)


def describe(entry: Entry, model: onnx.ModelProto, outputs: Sequence[Sequence[NDArray[Any]]]) -> dict[str, Any]:
    """The manifest's entry; shapes are those of the uncompiled graph's inputs and of the first case's outputs."""
    dtypes = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}
    return {
        "name": entry.name,
        "file": f"{entry.name}.rknn",
        "recording": f"{entry.name}.npz",
        "cases": len(outputs),
        "target": entry.target,
        "precision": "int8" if entry.int8 else "fp16",
        "config": entry.config,
        "build": entry.options,
        "batch": entry.batch,
        "inputs": [
            {"name": value.name, "shape": shape, "dtype": dtypes[dtype]}
            for value, (shape, dtype) in zip(model.graph.input, graph_shapes(model))
        ],
        "outputs": [
            {"name": value.name, "shape": list(output.shape), "dtype": str(output.dtype)}
            for value, output in zip(model.graph.output, outputs[0])
        ],
        "note": entry.note,
    }


def write_manifest(made: dict[str, dict[str, Any]]) -> None:
    """Replaces the entries of the models just made; the order is that of :data:`ENTRIES`."""
    path = DATA / "manifest.json"
    known = {entry["name"]: entry for entry in json.loads(path.read_text())["models"]} if path.exists() else {}
    known.update(made)
    manifest = {
        "compiler": f"rknn-toolkit2 {version('rknn-toolkit2')}",
        "recorded_with": "the compiler's simulator (init_runtime without a target), inputs in NCHW",
        "models": [known[entry.name] for entry in ENTRIES if entry.name in known],
    }
    path.write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
