# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs that no program could exchange with a runtime: refused when a file is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.locate import SIMULATOR, locate
from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import DType, Kind, Layout, load
from ez_rknn_async.model.format.ports import ELEMENT_SIZES

from .changing import Changing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@pytest.fixture
def ports(tiny: bytes) -> tuple[int, int]:
    """The indices of the input [1, 3, 16, 16] and of the output [1, 8, 16, 16], both int8."""
    with load(tiny) as model:
        return model.graphs[0].inputs[0], model.graphs[0].outputs[0]


@pytest.mark.parametrize("code", [*(int(dtype) for dtype in DType if dtype not in ELEMENT_SIZES and dtype >= 0), 200])
def test_rejects_element_types_that_no_port_can_have(tiny: bytes, ports: tuple[int, int], code: int) -> None:
    """The host converts these numbers, so a type without a conversion must not get there."""
    for index in ports:
        with pytest.raises(RknnModelError, match=r"element type .*; it can be float32"):
            load(Changing(tiny).tensor(index, {"dtype": code}))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"layout": int(Layout.PACKED_WEIGHT)}, "layout PACKED_WEIGHT"),
        ({"layout": 3}, "layout UNKNOWN"),
        ({"kind": int(Kind.WEIGHT)}, "kind WEIGHT"),
        ({"kind": 77}, "kind UNKNOWN"),
        ({"shape": (1, 0, 16, 16)}, "shape"),
        ({"shape": (1, 65, 16, 16)}, "cannot be stored as"),
        ({"shape": (1, 3, 16, 15)}, "cannot be stored as"),
        ({"layout": int(Layout.NCHW), "shape": (1, 3, 16, 15)}, "cannot be stored as"),
        ({"size": 15}, "bytes, but has 15"),
        ({"scale": (0.0,)}, "impossible scale"),
        ({"scale": (-1.0,)}, "impossible scale"),
        ({"scale": (1e38,)}, "impossible scale"),
        ({"zero_point": (128,)}, "zero point 128"),
        ({"zero_point": (-129,)}, "zero point -129"),
    ],
)
def test_rejects_impossible_ports(
    tiny: bytes, ports: tuple[int, int], values: Mapping[str, float | Sequence[float]], says: str
) -> None:
    """Each field of a port determines sizes of buffers or numbers that the host computes with."""
    for index in ports:
        with pytest.raises(RknnModelError, match=says) as caught:
            load(Changing(tiny).tensor(index, values))
        assert caught.value.offset is not None


def test_accepts_blocks_that_no_channel_fills(tiny: bytes, ports: tuple[int, int]) -> None:
    """Resizing on RK3562, the compiler counts twice the blocks that it allocates; C++ and Python agree on both."""
    with load(tiny) as model:
        output = model.graphs[0].tensors[ports[1]]
    blocks, height, width, block = output.native_shape[1:]
    assert output.shape[1] <= block  # one block is filled
    assert blocks == 2
    size = height * width * block
    accepted, refused = (Changing(tiny).tensor(output.index, {"size": size - missing}) for missing in (0, 1))
    load(accepted).close()
    with pytest.raises(RknnModelError, match=f"needs {size} bytes, but has {size - 1}"):
        load(refused)
    library = locate(SIMULATOR).library
    with library.simulator_settings("compute=off"):
        Context.open(library, accepted).destroy()
        with pytest.raises(RknnModelError, match=f"needs {size} bytes, but has {size - 1}"):
            Context.open(library, refused)


def test_rejects_ports_beyond_2_gib(tiny: bytes, ports: tuple[int, int]) -> None:
    """Sizes are 32-bit numbers in the interface, for any element type that a program may give."""
    shape, native = (1, 3, 2**12, 2**17), (1, 1, 2**12, 2**17, 3)
    with pytest.raises(RknnModelError, match="2 GiB"):
        load(Changing(tiny).tensor(ports[0], {"shape": shape, "native_shape": native, "size": 2**32 - 1}))


def test_rejects_ports_with_the_same_name(data: Path) -> None:
    """Programs give and take tensors by name."""
    content = (data / "two_inputs_fp16.rknn").read_bytes()
    with load(content) as model:
        first, second = model.graphs[0].inputs
    assert first != second
    with pytest.raises(RknnModelError, match="cannot be told apart"):
        load(Changing(content).graph({"inputs": (first, first)}))


def test_rejects_graphs_with_different_ports(data: Path) -> None:
    """A session describes its inputs once, for all shapes."""
    content = (data / "dynamic_fp16.rknn").read_bytes()
    with load(content) as model:
        assert len(model.graphs) > 1
        index = model.graphs[0].outputs[0]
        assert model.graphs[0].tensors[index].dtype is DType.FLOAT16
    with pytest.raises(RknnModelError, match="graphs differ"):
        load(Changing(content).tensor(index, {"dtype": int(DType.BFLOAT16)}))


def test_rejects_intermediate_tensors_larger_than_the_memory_plan(data: Path) -> None:
    """A file of some kilobytes that claims gigabytes contradicts the plan that its compiler made."""
    content = (data / "block_int8.rknn").read_bytes()
    with load(content) as model:
        tensor = next(t for t in model.graphs[0].tensors if t.kind is Kind.INTERMEDIATE and len(t.shape) == 4)
    with pytest.raises(RknnModelError, match="for all that is intermediate"):
        load(Changing(content).tensor(tensor.index, {"shape": (1, 2**10, 2**10, 2**10)}))


def test_rejects_results_that_are_overwritten_or_read_too_early(data: Path) -> None:
    """Nodes are executed in their order; a cycle has none."""
    content = (data / "block_int8.rknn").read_bytes()
    with load(content) as model:
        nodes = model.graphs[0].nodes
    first, second, *_ = (node for node in nodes if node.op.startswith("Conv"))
    with pytest.raises(RknnModelError, match="overwrites the result"):
        load(Changing(content).node(second.index, {"outputs": first.outputs}))
    with pytest.raises(RknnModelError, match="computed behind it"):
        load(Changing(content).node(first.index, {"inputs": (second.outputs[0], *first.inputs[1:])}))
    with pytest.raises(RknnModelError, match="computed behind it"):
        load(Changing(content).node(first.index, {"inputs": (first.outputs[0], *first.inputs[1:])}))


def test_rejects_negative_numbers_of_tasks(tiny: bytes) -> None:
    """They are counts, and indices are computed from them."""
    with load(tiny) as model:
        node = next(node for node in model.graphs[0].nodes if node.tasks)
    with pytest.raises(RknnModelError, match="negative number of tasks"):
        load(Changing(tiny).node(node.index, {"tasks": (-1, *node.tasks[1:])}))


def test_rejects_the_uint16_input_of_the_collection(shared: Path) -> None:
    """It is a model with one byte changed; a conversion without a case for it once wrote outside its buffer."""
    with pytest.raises(RknnModelError, match="input 'x' has element type uint16"):
        load(shared / "cases" / "damaged" / "input_is_uint16.rknn")
